// One neuron at a time: products of SIMD inputs and 1-bit weights a clock cycle, summed up over a window.
//
// Bits (VALUE_BITS = 0): the sum counts the inputs that equal their weight, 0 … INPUTS; of ±1 values that is
// (Σ w x + INPUTS) / 2. Whole numbers: Σ w x itself, signed, of VALUE_BITS-bit inputs.
// The sum is whole two clock cycles (with `advance`) after the beat that is marked as the last.
module neuron #(
    parameter int SIMD = 1,
    parameter int VALUE_BITS = 0,
    parameter int SUM_BITS = 1,
    parameter int LANE_BITS = VALUE_BITS == 0 ? 1 : VALUE_BITS
) (
    input  logic                      clk,
    input  logic                      advance,
    input  logic                      valid,         // values and weights are a beat
    input  logic                      partial_valid, // the same, one clock cycle later
    input  logic                      partial_first, // and whether that beat begins a sum
    input  logic [SIMD*LANE_BITS-1:0] values,
    input  logic [SIMD-1:0]           weights,
    output logic [SUM_BITS-1:0]       sum
);
    logic [SUM_BITS-1:0] products, partial;

    generate
        if (VALUE_BITS == 0) begin : g_bits
            logic [$clog2(SIMD + 1)-1:0] equal;
            popcount #(.WIDTH(SIMD)) u_equal (.bits(~(values ^ weights)), .count(equal));
            assign products = SUM_BITS'(equal);
        end else begin : g_whole_numbers
            always_comb begin
                products = '0;
                for (int lane = 0; lane < SIMD; lane++) begin
                    if (weights[lane]) products = products + SUM_BITS'(values[lane*LANE_BITS+:LANE_BITS]);
                    else products = products - SUM_BITS'(values[lane*LANE_BITS+:LANE_BITS]);
                end
            end
        end
    endgenerate

    always_ff @(posedge clk) begin
        if (advance && valid) partial <= products;
        if (advance && partial_valid) sum <= partial_first ? partial : sum + partial;
    end
endmodule
