// Keeps the rows of an image that filters look at, and sends every window of it, pixel by pixel.
//
// Pixels arrive in raster order, BEATS beats each, and fill a ring of ROWS rows; samples follow one another
// without a gap. For each place of a filter the window is sent REPEATS times, once for each group of neurons
// that is computed at a time. With pooling, the POOL x POOL places of a pooling window follow one another, and
// places that fill no pooling window are left out. Around the image lie PADDING pixels of zeros.
// A dense layer is the case of one pixel: the ring is then two vectors, one read while the other fills.
module window_unit #(
    parameter int BEAT_BITS = 1,  // bits of a beat
    parameter int BEATS = 1,      // beats of a pixel
    parameter int HEIGHT = 1,     // of the image, in pixels
    parameter int WIDTH = 1,
    parameter int KERNEL = 1,     // side of a filter
    parameter int STRIDE = 1,
    parameter int PADDING = 0,
    parameter int POOL = 1,       // side of a pooling window, in places of a filter
    parameter int REPEATS = 1
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
    localparam int PLACES_DOWN = ((HEIGHT + 2 * PADDING - KERNEL) / STRIDE + 1) / POOL;
    localparam int PLACES_ACROSS = ((WIDTH + 2 * PADDING - KERNEL) / STRIDE + 1) / POOL;
    localparam int PACE = POOL * STRIDE;                  // rows from one line of pooling windows to the next
    localparam int SPAN = (POOL - 1) * STRIDE + KERNEL;   // rows that a line of pooling windows sees
    localparam int ROWS = (SPAN < HEIGHT ? SPAN : HEIGHT) + (PACE < HEIGHT ? PACE : HEIGHT);
    localparam int ROW_BEATS = WIDTH * BEATS;
    localparam int DEPTH = ROWS * ROW_BEATS;
    localparam int ADDRESS_BITS = DEPTH > 1 ? $clog2(DEPTH) : 1;
    localparam int SLOT_BITS = ROWS > 1 ? $clog2(ROWS) : 1;
    localparam int EXTENT = (HEIGHT > WIDTH ? HEIGHT : WIDTH) + 2 * PADDING + PACE + SPAN + ROWS;
    localparam int PLACE_BITS = $clog2(EXTENT + 1) + 1;   // signed rows and columns

    logic [BEAT_BITS-1:0] rows[DEPTH];

    // Rows in the ring: `level` whole ones from slot `oldest` on; `drop` of them, or of those that are still to
    // come, no window will see any more.
    logic [SLOT_BITS:0] level;
    logic [SLOT_BITS-1:0] oldest, filling;
    logic [PLACE_BITS-1:0] drop;
    logic row_filled, row_dropped;

    // ---- Writing -------------------------------------------------------------------------------------------
    logic write, row_ends;
    logic [(ROW_BEATS > 1 ? $clog2(ROW_BEATS) : 1)-1:0] place;
    logic [ADDRESS_BITS-1:0] write_address;

    assign in_ready = level < (SLOT_BITS + 1)'(ROWS);
    assign write = in_valid && in_ready;
    assign row_filled = write && row_ends;
    counter #(.COUNT(ROW_BEATS)) u_place (.clk(clk), .rst(rst), .step(write), .value(place), .last(row_ends));
    counter #(.COUNT(ROWS)) u_filling (.clk(clk), .rst(rst), .step(row_filled), .value(filling), .last());
    assign write_address = ADDRESS_BITS'(filling) * ADDRESS_BITS'(ROW_BEATS) + ADDRESS_BITS'(place);

    always_ff @(posedge clk) if (write) rows[write_address] <= in_data;

    // ---- Reading: counters from the innermost to the outermost --------------------------------------------
    localparam int KERNEL_BITS = KERNEL > 1 ? $clog2(KERNEL) : 1;
    localparam int POOL_BITS = POOL > 1 ? $clog2(POOL) : 1;
    logic step, ready_to_read;
    logic [(BEATS > 1 ? $clog2(BEATS) : 1)-1:0] beat;
    logic [KERNEL_BITS-1:0] kernel_column, kernel_row;
    logic [POOL_BITS-1:0] pool_column, pool_row;
    logic [(PLACES_ACROSS > 1 ? $clog2(PLACES_ACROSS) : 1)-1:0] across;
    logic [(PLACES_DOWN > 1 ? $clog2(PLACES_DOWN) : 1)-1:0] down;
    logic [7:0] last;
    logic [7:0] steps;  // steps[i] is the step of counter i; the last that of what follows a line of windows

    assign steps[0] = step;
    for (genvar i = 1; i < 8; i++) begin : g_steps
        assign steps[i] = step && &last[i-1:0];
    end
    counter #(.COUNT(BEATS)) u_beat (.clk(clk), .rst(rst), .step(steps[0]), .value(beat), .last(last[0]));
    counter #(.COUNT(KERNEL)) u_kernel_column (
        .clk(clk), .rst(rst), .step(steps[1]), .value(kernel_column), .last(last[1])
    );
    counter #(.COUNT(KERNEL)) u_kernel_row (
        .clk(clk), .rst(rst), .step(steps[2]), .value(kernel_row), .last(last[2])
    );
    counter #(.COUNT(REPEATS)) u_repeat (.clk(clk), .rst(rst), .step(steps[3]), .value(), .last(last[3]));
    counter #(.COUNT(POOL)) u_pool_column (
        .clk(clk), .rst(rst), .step(steps[4]), .value(pool_column), .last(last[4])
    );
    counter #(.COUNT(POOL)) u_pool_row (
        .clk(clk), .rst(rst), .step(steps[5]), .value(pool_row), .last(last[5])
    );
    counter #(.COUNT(PLACES_ACROSS)) u_across (
        .clk(clk), .rst(rst), .step(steps[6]), .value(across), .last(last[6])
    );
    logic line_ends, last_line;
    assign line_ends = steps[7];
    assign last_line = last[7];
    counter #(.COUNT(PLACES_DOWN)) u_down (
        .clk(clk), .rst(rst), .step(line_ends), .value(down), .last(last[7])
    );

    // Rows of the image, counted from its top: `top` the first that this line of windows sees, `first` the
    // first that is in the ring, `next_first` the same for the next line; the next sample's at the end.
    logic signed [PLACE_BITS-1:0] top, first, next_first, bottom, row, column;
    logic in_image;
    assign top = PLACE_BITS'(down) * PLACE_BITS'(PACE) - PLACE_BITS'(PADDING);
    assign first = top < 0 ? '0 : top;
    assign bottom = top + PLACE_BITS'(SPAN) > PLACE_BITS'(HEIGHT) ? PLACE_BITS'(HEIGHT) : top + PLACE_BITS'(SPAN);
    always_comb begin
        next_first = top + PLACE_BITS'(PACE);
        if (last_line) next_first = PLACE_BITS'(HEIGHT);
        else if (next_first < 0) next_first = '0;
    end
    assign row = top + PLACE_BITS'(pool_row) * PLACE_BITS'(STRIDE) + PLACE_BITS'(kernel_row);
    assign column = (PLACE_BITS'(across) * PLACE_BITS'(POOL) + PLACE_BITS'(pool_column)) * PLACE_BITS'(STRIDE)
        + PLACE_BITS'(kernel_column) - PLACE_BITS'(PADDING);
    assign in_image = row >= 0 && row < PLACE_BITS'(HEIGHT) && column >= 0 && column < PLACE_BITS'(WIDTH);

    logic [PLACE_BITS-1:0] slot;
    logic [ADDRESS_BITS-1:0] read_address;
    always_comb begin
        slot = PLACE_BITS'(oldest) + (row - first);
        if (slot >= PLACE_BITS'(ROWS)) slot = slot - PLACE_BITS'(ROWS);
        read_address = ADDRESS_BITS'(slot) * ADDRESS_BITS'(ROW_BEATS)
            + ADDRESS_BITS'(column) * ADDRESS_BITS'(BEATS) + ADDRESS_BITS'(beat);
    end

    logic advance, out_in_image;
    logic [BEAT_BITS-1:0] out_value;
    assign advance = !out_valid || out_ready;
    assign ready_to_read = drop == 0 && PLACE_BITS'(level) >= PLACE_BITS'(bottom - first);
    assign step = ready_to_read && advance;
    assign out_data = out_in_image ? out_value : '0;
    always_ff @(posedge clk) begin
        if (advance) begin
            out_value <= rows[read_address];
            out_in_image <= in_image;
        end
        if (rst) out_valid <= 1'b0;
        else if (advance) out_valid <= ready_to_read;
    end

    // ---- Dropping rows: the first at once, others, which may be still to come, one in a clock cycle ---------
    logic [PLACE_BITS-1:0] passed;
    assign passed = next_first - first;
    assign row_dropped = (line_ends && passed != 0) || (drop != 0 && level != 0);
    counter #(.COUNT(ROWS)) u_oldest (.clk(clk), .rst(rst), .step(row_dropped), .value(oldest), .last());
    always_ff @(posedge clk) begin
        if (rst) begin
            level <= '0;
            drop <= '0;
        end else begin
            level <= level + (SLOT_BITS + 1)'(row_filled) - (SLOT_BITS + 1)'(row_dropped);
            if (line_ends) drop <= passed == 0 ? '0 : passed - PLACE_BITS'(1);
            else if (row_dropped) drop <= drop - PLACE_BITS'(1);
        end
    end
endmodule
