// Turns whole numbers into bits: a bit for each of LIMITS thresholds, 1 where the number is at least that.
//
// A beat is FEATURES numbers of NUMBER_BITS; the bits of a feature lie side by side, the first threshold's
// lowest. Thresholds may differ from feature to feature and repeat after PERIOD beats.
module input_encoder #(
    parameter int FEATURES = 1,
    parameter int NUMBER_BITS = 8,
    parameter int LIMITS = 1,
    parameter int PERIOD = 1,
    parameter LIMITS_FILE = ""
) (
    input  logic                            clk,
    input  logic                            rst,
    input  logic                            in_valid,
    output logic                            in_ready,
    input  logic [FEATURES*NUMBER_BITS-1:0] in_data,
    output logic                            out_valid,
    input  logic                            out_ready,
    output logic [FEATURES*LIMITS-1:0]      out_data
);
    logic [FEATURES*LIMITS*NUMBER_BITS-1:0] words[PERIOD];
    logic [FEATURES*LIMITS*NUMBER_BITS-1:0] limits;
    logic [FEATURES*LIMITS-1:0] fires;
    logic [(PERIOD > 1 ? $clog2(PERIOD) : 1)-1:0] beat;

    initial $readmemh(LIMITS_FILE, words, 0, PERIOD - 1);
    counter #(.COUNT(PERIOD)) u_beat (
        .clk(clk), .rst(rst), .step(in_valid && in_ready), .value(beat), .last()
    );
    assign limits = words[beat];
    for (genvar feature = 0; feature < FEATURES; feature++) begin : g_feature
        for (genvar limit = 0; limit < LIMITS; limit++) begin : g_limit
            localparam int PLACE = feature * LIMITS + limit;
            assign fires[PLACE] =
                in_data[feature*NUMBER_BITS+:NUMBER_BITS] >= limits[PLACE*NUMBER_BITS+:NUMBER_BITS];
        end
    end

    assign in_ready = !out_valid || out_ready;
    always_ff @(posedge clk) begin
        if (in_ready) out_data <= fires;
        if (rst) out_valid <= 1'b0;
        else if (in_ready) out_valid <= in_valid;
    end
endmodule
