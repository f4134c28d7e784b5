// Max-pooling of bits: the OR of PLACES pixels that follow one another, BEATS beats each.
module or_pool #(
    parameter int BEAT_BITS = 1,
    parameter int BEATS = 1,
    parameter int PLACES = 4
) (
    input  logic                 clk,
    input  logic                 rst,
    input  logic                 in_valid,
    output logic                 in_ready,
    input  logic [BEAT_BITS-1:0] in_data,
    output logic                 out_valid,
    input  logic                 out_ready,
    output logic [BEAT_BITS-1:0] out_data
);
    // What a pixel's beats have come to so far turns round in a shift register, one step a beat.
    logic [BEATS*BEAT_BITS-1:0] pooled;
    logic [BEAT_BITS-1:0] merged;
    logic [(PLACES > 1 ? $clog2(PLACES) : 1)-1:0] place;
    logic step, pixel_ends, window_ends;

    counter #(.COUNT(BEATS)) u_beat (.clk(clk), .rst(rst), .step(step), .value(), .last(pixel_ends));
    counter #(.COUNT(PLACES)) u_place (
        .clk(clk), .rst(rst), .step(step && pixel_ends), .value(place), .last(window_ends)
    );
    assign in_ready = !out_valid || out_ready;
    assign step = in_valid && in_ready;
    assign merged = place == 0 ? in_data : in_data | pooled[BEAT_BITS-1:0];
    always_ff @(posedge clk) begin
        if (step) begin
            pooled <= (BEATS*BEAT_BITS)'({merged, pooled} >> BEAT_BITS);
            out_data <= merged;
        end
        if (rst) out_valid <= 1'b0;
        else if (in_ready) out_valid <= in_valid && window_ends;
    end
endmodule
