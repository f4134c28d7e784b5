// Results of a pipeline that cannot wait, until they are taken: a sample may enter the pipeline only while a
// place in the queue is promised to no other.
module credit_queue #(
    parameter int BITS = 1,
    parameter int DEPTH = 2  // a power of two
) (
    input  logic            clk,
    input  logic            rst,
    input  logic            enter,      // a sample enters the pipeline now
    output logic            may_enter,
    input  logic            in_valid,   // a result leaves the pipeline now
    input  logic [BITS-1:0] in_data,
    output logic            out_valid,
    input  logic            out_ready,
    output logic [BITS-1:0] out_data
);
    localparam int PLACE = $clog2(DEPTH);
    logic [BITS-1:0] results[DEPTH];
    logic [PLACE:0] promised, written, read;

    assign may_enter = promised - read != (PLACE + 1)'(DEPTH);
    assign out_valid = written != read;
    assign out_data = results[read[PLACE-1:0]];
    always_ff @(posedge clk) begin
        if (in_valid) results[written[PLACE-1:0]] <= in_data;
        if (rst) begin
            promised <= '0;
            written <= '0;
            read <= '0;
        end else begin
            if (enter) promised <= promised + (PLACE + 1)'(1);
            if (in_valid) written <= written + (PLACE + 1)'(1);
            if (out_valid && out_ready) read <= read + (PLACE + 1)'(1);
        end
    end
endmodule
