// Sends the beats of a file of hexadecimal words, one a line. With the plusarg +stall, at random times none.
module stream_source #(
    parameter int BITS = 8,
    parameter FILE = "samples.hex"
) (
    input  logic            clk,
    input  logic            rst,
    output logic            valid,
    input  logic            ready,
    output logic [BITS-1:0] data
);
    integer file;
    logic stalls;
    logic [BITS-1:0] word;

    initial begin
        file = $fopen(FILE, "r");
        if (file == 0) $fatal(1, "cannot read %s", FILE);
        stalls = $test$plusargs("stall") != 0;
    end

    always @(posedge clk) begin
        if (rst) valid <= 1'b0;
        else if (!valid || ready) begin
            if (stalls && $urandom % 4 == 0) valid <= 1'b0;
            else if ($fscanf(file, "%h", word) == 1) begin
                valid <= 1'b1;
                data <= word;
            end else valid <= 1'b0;
        end
    end
endmodule
