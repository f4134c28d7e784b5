// The end of the network: hands on each class's score, then the label, the first class of the largest score.
//
// Sums arrive one a beat (see neuron.sv). CLASSES + 1 beats leave for a sample: the scores Σ w x, 32-bit signed,
// and, marked `out_last`, the label. Where the head's scales and offsets can change the order of classes,
// KEY_BITS is not 0 and KEYS_FILE gives, for each class and each sum, the place of its logit in their order.
module class_unit #(
    parameter int CLASSES = 2,
    parameter int INPUTS = 1,
    parameter int SUM_BITS = 1,
    parameter bit WHOLE_NUMBERS = 0,  // whether sums are Σ w x already
    parameter int KEY_BITS = 0,
    parameter int SUMS = 1,           // with keys: how many values a sum can have
    parameter KEYS_FILE = ""
) (
    input  logic                clk,
    input  logic                rst,
    input  logic                in_valid,
    output logic                in_ready,
    input  logic [SUM_BITS-1:0] in_data,
    output logic                out_valid,
    input  logic                out_ready,
    output logic [31:0]         out_data,
    output logic                out_last
);
    localparam int RANK_BITS = KEY_BITS == 0 ? 33 : KEY_BITS + 1;
    localparam int CLASS_BITS = CLASSES > 1 ? $clog2(CLASSES) : 1;

    logic [CLASS_BITS-1:0] number, best;
    logic signed [RANK_BITS-1:0] rank, best_rank;
    logic signed [31:0] score;
    logic step, free, ends, finished, better;

    assign free = !out_valid || out_ready;
    assign in_ready = free && !finished;  // one clock cycle of each sample is the label's
    assign step = in_valid && in_ready;
    counter #(.COUNT(CLASSES)) u_number (.clk(clk), .rst(rst), .step(step), .value(number), .last(ends));

    generate
        if (WHOLE_NUMBERS) begin : g_whole_numbers
            assign score = 32'($signed(in_data));
        end else begin : g_bits
            assign score = (32'(in_data) << 1) - 32'(INPUTS);
        end
        if (KEY_BITS == 0) begin : g_scores
            assign rank = RANK_BITS'(score);
        end else begin : g_keys
            localparam int ADDRESS_BITS = $clog2(CLASSES * SUMS);
            logic [KEY_BITS-1:0] keys[CLASSES*SUMS];
            initial $readmemh(KEYS_FILE, keys, 0, CLASSES * SUMS - 1);
            assign rank = {1'b0, keys[
                ADDRESS_BITS'(number) * ADDRESS_BITS'(SUMS)
                + ADDRESS_BITS'(WHOLE_NUMBERS ? score + 32'(SUMS / 2) : 32'(in_data))
            ]};
        end
    endgenerate
    assign better = number == 0 || rank > best_rank;

    always_ff @(posedge clk) begin
        if (step) begin
            if (better) begin
                best <= number;
                best_rank <= rank;
            end
            out_data <= score;
        end else if (finished && free) out_data <= 32'(best);
        if (free) out_last <= finished;
        if (rst) begin
            out_valid <= 1'b0;
            finished <= 1'b0;
        end else if (free) begin
            out_valid <= step || finished;
            finished <= step && ends;
        end
    end
endmodule
