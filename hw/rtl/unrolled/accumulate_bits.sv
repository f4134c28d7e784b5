// total + how many of six bits are set: five are counted in the LUTs before the carry chain, which see one
// bit of the total each, and the sixth is the chain's carry. Three LUT6 for six bits.
module accumulate_bits #(
    parameter WIDTH = 3
) (
    input wire [WIDTH - 1:0] total,
    input wire [4:0] bits,
    input wire carry,
    output wire [WIDTH - 1:0] sum
);
  wire [2:0] counted;
  count_bits #(.WIDTH(3)) count (.bits({1'b0, bits}), .sum(counted));
  wire [WIDTH + 2:0] other = {{WIDTH{1'b0}}, counted};
  add_numbers #(.WIDTH(WIDTH)) add (.total(total), .other(other[WIDTH - 1:0]), .carry(carry), .sum(sum));
endmodule
