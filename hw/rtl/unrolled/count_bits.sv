// How many of six bits are set: a 6:3 compressor, three LUT6. Bits that are tied to 0 shrink it.
module count_bits #(
    parameter WIDTH = 3
) (
    input wire [5:0] bits,
    output wire [WIDTH - 1:0] sum
);
  // Two full adders and one that adds their results, written out, so that synthesis finds the LUTs at once.
  wire odd0 = bits[0] ^ bits[1] ^ bits[2];
  wire odd1 = bits[3] ^ bits[4] ^ bits[5];
  wire two0 = (bits[0] & bits[1]) | (bits[2] & (bits[0] | bits[1]));
  wire two1 = (bits[3] & bits[4]) | (bits[5] & (bits[3] | bits[4]));
  wire both = odd0 & odd1;
  wire [2:0] all = {(two0 & two1) | (both & (two0 | two1)), two0 ^ two1 ^ both, odd0 ^ odd1};
  assign sum = all[WIDTH - 1:0];
endmodule
