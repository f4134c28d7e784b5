// With the plusarg +trace, writes every beat of a stream to a file, one hexadecimal word a line.
module stream_monitor #(
    parameter int BITS = 1,
    parameter FILE = "stream.trace"
) (
    input logic            clk,
    input logic            valid,
    input logic            ready,
    input logic [BITS-1:0] data
);
    integer file;

    initial begin
        file = 0;
        if ($test$plusargs("trace") != 0) file = $fopen(FILE, "w");
    end

    always @(posedge clk) if (file != 0 && valid && ready) $fwrite(file, "%h\n", data);
endmodule
