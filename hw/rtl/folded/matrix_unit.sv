// A layer's matrix times a stream of windows: PE neurons at a time, SIMD inputs of each in a clock cycle.
//
// Every window arrives OUTPUTS / PE times, INPUTS / SIMD beats each time. With THRESHOLDS a beat of the output
// is PE activations, 1 where a neuron's sum is at least its threshold, or, with INVERTS, where it is and the bit
// above the threshold is not set, or the other way round; without, PE sums (see neuron.sv).
// Weights of a beat are blocks of BLOCK_PE neurons x BLOCK_SIMD inputs (see weight_memory.sv).
module matrix_unit #(
    parameter int INPUTS = 1,
    parameter int OUTPUTS = 1,
    parameter int PE = 1,
    parameter int SIMD = 1,
    parameter int VALUE_BITS = 0,     // of whole-number inputs; 0: inputs are bits
    parameter int SUM_BITS = 1,
    parameter bit THRESHOLDS = 1,
    parameter bit INVERTS = 0,
    parameter int BLOCK_PE = PE,
    parameter int BLOCK_SIMD = SIMD,
    parameter int ENTRIES = 0,        // distinct blocks; 0: weights are not coded
    parameter int BANKS = 0,          // groups of SIMD inputs with blocks of their own; 0: a dictionary, or none
    parameter bit COMPLEMENTS = 0,    // whether codes have a bit for the complement of a block
    parameter WEIGHTS_FILE = "",
    parameter BLOCKS_FILE = "",
    parameter THRESHOLDS_FILE = "",
    parameter int LANE_BITS = VALUE_BITS == 0 ? 1 : VALUE_BITS,
    parameter int OUT_BITS = PE * (THRESHOLDS ? 1 : SUM_BITS)
) (
    input  logic                      clk,
    input  logic                      rst,
    input  logic                      in_valid,
    output logic                      in_ready,
    input  logic [SIMD*LANE_BITS-1:0] in_data,
    output logic                      out_valid,
    input  logic                      out_ready,
    output logic [OUT_BITS-1:0]       out_data
);
    localparam int FOLDS = OUTPUTS / PE;
    localparam int BEATS = INPUTS / SIMD;

    // One enable for the whole pipeline: it stands still while its output waits.
    logic advance;
    assign advance = !out_valid || out_ready;
    assign in_ready = advance;

    // Stages: 0 the address of the weights, 1 the weights, 2 partial sums, 3 sums, then the output. A dictionary
    // takes one more, between 0 and 1.
    localparam int CODED = ENTRIES == 0 ? 0 : 1;
    logic begins, ends;
    logic [(BEATS > 1 ? $clog2(BEATS) : 1)-1:0] beat;
    logic [3+CODED:1] valid, first, last;
    logic [(1+CODED)*SIMD*LANE_BITS-1:0] values;  // the latest lowest
    logic [PE*SIMD-1:0] weights;
    counter #(.COUNT(BEATS)) u_beat (
        .clk(clk), .rst(rst), .step(in_valid && advance), .value(beat), .last(ends)
    );
    assign begins = beat == 0;
    always_ff @(posedge clk) begin
        if (rst) valid <= '0;
        else if (advance) valid <= {valid[2+CODED:1], in_valid};
        if (advance) begin
            first <= {first[2+CODED:1], begins};
            last <= {last[2+CODED:1], ends};
            values <= ((1 + CODED) * SIMD * LANE_BITS)'({values, in_data});
        end
    end

    weight_memory #(
        .DEPTH(FOLDS * BEATS),
        .LANES((PE / BLOCK_PE) * (SIMD / BLOCK_SIMD)),
        .BLOCK_BITS(BLOCK_PE * BLOCK_SIMD),
        .ENTRIES(ENTRIES),
        .BANKS(BANKS),
        .GROUPS(SIMD / BLOCK_SIMD),
        .COMPLEMENTS(COMPLEMENTS),
        .WORDS_FILE(WEIGHTS_FILE),
        .BLOCKS_FILE(BLOCKS_FILE)
    ) u_weights (
        .clk(clk), .rst(rst), .advance(advance), .step(in_valid), .word(weights)
    );

    logic [PE*SUM_BITS-1:0] sums;
    for (genvar pe = 0; pe < PE; pe++) begin : g_pe
        logic [SIMD-1:0] row;
        for (genvar lane = 0; lane < SIMD; lane++) begin : g_lane
            localparam int BLOCK = pe / BLOCK_PE * (SIMD / BLOCK_SIMD) + lane / BLOCK_SIMD;
            assign row[lane] = weights[
                BLOCK * BLOCK_PE * BLOCK_SIMD + pe % BLOCK_PE * BLOCK_SIMD + lane % BLOCK_SIMD
            ];
        end
        neuron #(.SIMD(SIMD), .VALUE_BITS(VALUE_BITS), .SUM_BITS(SUM_BITS)) u_neuron (
            .clk(clk),
            .advance(advance),
            .valid(valid[1+CODED]),
            .partial_valid(valid[2+CODED]),
            .partial_first(first[2+CODED]),
            .values(values[CODED*SIMD*LANE_BITS+:SIMD*LANE_BITS]),
            .weights(row),
            .sum(sums[pe*SUM_BITS+:SUM_BITS])
        );
    end

    logic [OUT_BITS-1:0] results;
    generate
        if (THRESHOLDS) begin : g_thresholds
            // The word for the sums is read at the stage before them, with the last beat of a sum.
            localparam int LIMIT_BITS = SUM_BITS + (INVERTS ? 1 : 0);
            logic [PE*LIMIT_BITS-1:0] words[FOLDS];
            logic [PE*LIMIT_BITS-1:0] limits;
            logic [(FOLDS > 1 ? $clog2(FOLDS) : 1)-1:0] fold;
            logic next;
            initial $readmemh(THRESHOLDS_FILE, words, 0, FOLDS - 1);
            assign next = advance && valid[2+CODED] && last[2+CODED];
            counter #(.COUNT(FOLDS)) u_fold (.clk(clk), .rst(rst), .step(next), .value(fold), .last());
            always_ff @(posedge clk) if (next) limits <= words[fold];
            for (genvar pe = 0; pe < PE; pe++) begin : g_pe
                logic [SUM_BITS-1:0] sum, limit;
                logic reached, inverted;
                assign sum = sums[pe*SUM_BITS+:SUM_BITS];
                assign limit = limits[pe*LIMIT_BITS+:SUM_BITS];
                assign inverted = INVERTS && limits[pe*LIMIT_BITS+LIMIT_BITS-1];
                assign reached = VALUE_BITS == 0 ? sum >= limit : $signed(sum) >= $signed(limit);
                assign results[pe] = reached ^ inverted;
            end
        end else begin : g_sums
            assign results = sums;
        end
    endgenerate

    always_ff @(posedge clk) begin
        if (advance) out_data <= results;
        if (rst) out_valid <= 1'b0;
        else if (advance) out_valid <= valid[3+CODED] && last[3+CODED];
    end
endmodule
