// The weights of a layer, one word of LANES x BLOCK_BITS a clock cycle, in order and over again.
//
// Plain (ENTRIES = 0): LANES is 1 and the memory holds the words. Block-dictionary coded: the memory holds, for
// each of the LANES blocks of a word, the number of one of ENTRIES distinct blocks, which a dictionary gives
// back; every lane has a copy of the dictionary to read. With BANKS, words take one of that many banks by turns: of
// each of GROUPS blocks side by side, which the lanes take by turns, it holds ENTRIES patterns, and the highest bit
// of a code, with COMPLEMENTS, asks for the complement. A word follows its `step` after one clock cycle in which
// `advance` is 1, and, where weights are coded, after two.
module weight_memory #(
    parameter int DEPTH = 1,
    parameter int LANES = 1,
    parameter int BLOCK_BITS = 1,
    parameter int ENTRIES = 0,
    parameter int BANKS = 0,
    parameter int GROUPS = 1,
    parameter bit COMPLEMENTS = 0,
    parameter WORDS_FILE = "",
    parameter BLOCKS_FILE = ""
) (
    input  logic                        clk,
    input  logic                        rst,
    input  logic                        advance,
    input  logic                        step,
    output logic [LANES*BLOCK_BITS-1:0] word
);
    localparam int NUMBER_BITS = ENTRIES == 0 ? BLOCK_BITS : ENTRIES == 1 ? 1 : $clog2(ENTRIES);
    localparam int CODE_BITS = NUMBER_BITS + (COMPLEMENTS ? 1 : 0);

    logic [LANES*CODE_BITS-1:0] words[DEPTH];
    logic [LANES*CODE_BITS-1:0] codes;
    logic [(DEPTH > 1 ? $clog2(DEPTH) : 1)-1:0] address;

    initial $readmemh(WORDS_FILE, words, 0, DEPTH - 1);
    counter #(.COUNT(DEPTH)) u_address (
        .clk(clk), .rst(rst), .step(advance && step), .value(address), .last()
    );
    always_ff @(posedge clk) if (advance) codes <= words[address];

    generate
        if (ENTRIES == 0) begin : g_plain
            assign word = codes;
        end else if (BANKS != 0) begin : g_banks
            logic [GROUPS*ENTRIES*BLOCK_BITS-1:0] banks[BANKS];
            logic [GROUPS*ENTRIES*BLOCK_BITS-1:0] bank;
            logic [(BANKS > 1 ? $clog2(BANKS) : 1)-1:0] turn;
            initial $readmemh(BLOCKS_FILE, banks, 0, BANKS - 1);
            counter #(.COUNT(BANKS)) u_turn (
                .clk(clk), .rst(rst), .step(advance && step), .value(turn), .last()
            );
            always_ff @(posedge clk) if (advance) bank <= banks[turn];
            for (genvar lane = 0; lane < LANES; lane++) begin : g_lane
                logic [ENTRIES*BLOCK_BITS-1:0] patterns;
                logic [NUMBER_BITS-1:0] number;
                logic turned;
                assign patterns = bank[lane%GROUPS*ENTRIES*BLOCK_BITS+:ENTRIES*BLOCK_BITS];
                assign number = codes[lane*CODE_BITS+:NUMBER_BITS];
                assign turned = COMPLEMENTS && codes[lane*CODE_BITS+CODE_BITS-1];
                always_ff @(posedge clk)
                    if (advance)
                        word[lane*BLOCK_BITS+:BLOCK_BITS]
                            <= patterns[number*BLOCK_BITS+:BLOCK_BITS] ^ {BLOCK_BITS{turned}};
            end
        end else begin : g_dictionary
            for (genvar lane = 0; lane < LANES; lane++) begin : g_lane
                logic [BLOCK_BITS-1:0] blocks[ENTRIES];
                initial $readmemh(BLOCKS_FILE, blocks, 0, ENTRIES - 1);
                always_ff @(posedge clk)
                    if (advance) word[lane*BLOCK_BITS+:BLOCK_BITS] <= blocks[codes[lane*CODE_BITS+:CODE_BITS]];
            end
        end
    endgenerate
endmodule
