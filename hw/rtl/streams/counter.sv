// Counts 0 … COUNT − 1 and starts again. `last` says that the next step wraps, so counters nest: the step of
// an outer one is `step && last` of the one inside it.
module counter #(
    parameter int COUNT = 2,
    parameter int BITS = COUNT > 1 ? $clog2(COUNT) : 1
) (
    input  logic            clk,
    input  logic            rst,
    input  logic            step,
    output logic [BITS-1:0] value,
    output logic            last
);
    assign last = value == BITS'(COUNT - 1);

    always_ff @(posedge clk) begin
        if (rst) value <= '0;
        else if (step) value <= last ? '0 : value + BITS'(1);
    end
endmodule
