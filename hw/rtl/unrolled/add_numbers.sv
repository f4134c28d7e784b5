// total + other + carry, modulo 2^WIDTH, on one carry chain.
module add_numbers #(
    parameter WIDTH = 3
) (
    input wire [WIDTH - 1:0] total,
    input wire [WIDTH - 1:0] other,
    input wire carry,
    output wire [WIDTH - 1:0] sum
);
  // The lowest position, carry + carry, makes the carry. Instead of adding, the complement is subtracted,
  // which is the same and 1 more, and so nothing in the lowest position: synthesis may swap the operands of
  // an addition, and needs LUTs for `other` by itself where that one ends up beside the chain.
  wire [WIDTH:0] wide = {total, carry} - ~{other, carry};
  assign sum = wide[WIDTH:1];
endmodule
