// A queue of single bits: what was said of a sample as it entered waits until its answer leaves.
module flag_fifo #(
    parameter int DEPTH = 64  // a power of two
) (
    input  logic clk,
    input  logic rst,
    input  logic push,
    input  logic in_flag,
    output logic full,
    input  logic pop,
    output logic out_flag
);
    localparam int BITS = $clog2(DEPTH);
    logic flags[DEPTH];
    logic [BITS:0] written, read;

    assign full = written - read == (BITS + 1)'(DEPTH);
    assign out_flag = flags[read[BITS-1:0]];
    always_ff @(posedge clk) begin
        if (push) flags[written[BITS-1:0]] <= in_flag;
        if (rst) begin
            written <= '0;
            read <= '0;
        end else begin
            if (push) written <= written + (BITS + 1)'(1);
            if (pop) read <= read + (BITS + 1)'(1);
        end
    end
endmodule
