// Regroups a stream: beats of IN_BITS become beats of OUT_BITS, lowest bits first, order kept.
// One of the two divides the other; equal ones pass through without a register.
module width_converter #(
    parameter int IN_BITS = 1,
    parameter int OUT_BITS = 1
) (
    input  logic                clk,
    input  logic                rst,
    input  logic                in_valid,
    output logic                in_ready,
    input  logic [IN_BITS-1:0]  in_data,
    output logic                out_valid,
    input  logic                out_ready,
    output logic [OUT_BITS-1:0] out_data
);
    generate
        if (IN_BITS == OUT_BITS) begin : g_same
            assign out_valid = in_valid;
            assign in_ready = out_ready;
            assign out_data = in_data;
        end else if (IN_BITS < OUT_BITS) begin : g_wider
            // Beats enter at the top and move down; the last of a group makes it whole.
            localparam int PIECES = OUT_BITS / IN_BITS;
            logic whole;
            counter #(.COUNT(PIECES)) u_piece (
                .clk(clk), .rst(rst), .step(in_valid && in_ready), .value(), .last(whole)
            );
            assign in_ready = !out_valid || out_ready;
            always_ff @(posedge clk) begin
                if (in_valid && in_ready) out_data <= {in_data, out_data[OUT_BITS-1:IN_BITS]};
                if (rst) out_valid <= 1'b0;
                else if (in_ready) out_valid <= in_valid && whole;
            end
        end else begin : g_narrower
            // A beat is kept and handed on piece by piece; the next may enter as the last piece leaves.
            localparam int PIECES = IN_BITS / OUT_BITS;
            logic [IN_BITS-1:0] kept;
            logic final_piece;
            counter #(.COUNT(PIECES)) u_piece (
                .clk(clk), .rst(rst), .step(out_valid && out_ready), .value(), .last(final_piece)
            );
            assign out_data = kept[OUT_BITS-1:0];
            assign in_ready = !out_valid || (out_ready && final_piece);
            always_ff @(posedge clk) begin
                if (in_valid && in_ready) kept <= in_data;
                else if (out_valid && out_ready) kept <= kept >> OUT_BITS;
                if (rst) out_valid <= 1'b0;
                else if (in_ready) out_valid <= in_valid;
            end
        end
    endgenerate
endmodule
