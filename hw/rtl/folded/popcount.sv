// How many of WIDTH bits are 1: full adders at the leaves, each three bits in and two out, sums above them.
// A leaf is written in gates, because synthesis would spend a carry chain on every `+` of single bits.
module popcount #(
    parameter int WIDTH = 1,
    parameter int BITS = $clog2(WIDTH + 1)
) (
    input  logic [WIDTH-1:0] bits,
    output logic [BITS-1:0]  count
);
    generate
        if (WIDTH == 1) begin : g_bit
            assign count = bits;
        end else if (WIDTH <= 3) begin : g_full_adder
            logic a, b, c;
            assign {a, b, c} = 3'(bits);
            assign count = {(a & b) | (a & c) | (b & c), a ^ b ^ c};
        end else if (WIDTH <= 6) begin : g_six
            // Two full adders, and their sums added in gates: three functions of at most six inputs.
            logic [5:0] x;
            logic s0, c0, s1, c1, carry;
            assign x = 6'(bits);
            assign s0 = x[0] ^ x[1] ^ x[2];
            assign c0 = (x[0] & x[1]) | (x[0] & x[2]) | (x[1] & x[2]);
            assign s1 = x[3] ^ x[4] ^ x[5];
            assign c1 = (x[3] & x[4]) | (x[3] & x[5]) | (x[4] & x[5]);
            assign carry = s0 & s1;
            assign count = {(c0 & c1) | (c0 & carry) | (c1 & carry), c0 ^ c1 ^ carry, s0 ^ s1};
        end else begin : g_halves
            localparam int LOW = 6 * ((WIDTH + 11) / 12);  // whole leaves on the left
            localparam int HIGH = WIDTH - LOW;
            logic [$clog2(LOW + 1)-1:0] low;
            logic [$clog2(HIGH + 1)-1:0] high;
            popcount #(.WIDTH(LOW)) u_low (.bits(bits[LOW-1:0]), .count(low));
            popcount #(.WIDTH(HIGH)) u_high (.bits(bits[WIDTH-1:LOW]), .count(high));
            assign count = BITS'(low) + BITS'(high);
        end
    endgenerate
endmodule
