// load_ifm: for each spatial tile, reads the valid part of its footprint (all channel blocks) and
// writes it into one half of the IFM buffer. Padding is never stored: compute masks it.
// A half is filled only after compute has released it. The first tile is loaded at once, the others when the
// layer begins: one that is still in work may hold the other half.
module ifm_loader (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic                  idle_i,       // no run is in work: both halves are empty
  input  logic                  start_i,      // pulse: load the first tile of the layer in cfg_i
  input  logic                  begin_i,      // pulse: the layer begins, now or later
  input  logic [hotnas_pkg::HeaderBits-1:0]         cfg_i,        // hotnas_pkg::descriptor_t
  input  logic [63:0]           base_i,       // byte address of `ifm`
  input  logic                  release_i,    // pulse: compute is done with the oldest half
  output logic                  slice_done_o, // pulse: one more input slice is in the buffer
  output logic                  busy_o,       // a tile is being loaded
  output logic                  all_in_o,     // every tile of the layer is in
  output logic                  tile_in_o,    // every tile that could be asked for is
  // runs of words, in DRAM or on chip
  output logic                  run_valid_o,
  input  logic                  run_ready_i,
  output logic [63:0]           run_addr_o,
  output logic [31:0]           run_words_o,
  output logic [31:0]           run_beats_o,  // of its words, in DRAM
  output logic                  slice_last_o, // the run offered is the last one of its input slice
  input  logic                  word_valid_i,
  output logic                  word_ready_o,
  input  logic [hotnas_pkg::WordBits-1:0] word_i,
  // IFM buffer write port
  output logic                  we_o,
  output logic [15:0]           wblock_o,     // channel block within the slice
  output logic [hotnas_pkg::IfmAddrBits-1:0]   waddr_o,
  output logic [hotnas_pkg::WordBits-1:0] wdata_o
);

  localparam int unsigned IfmAddrBits = hotnas_pkg::IfmAddrBits;
  localparam int unsigned BlockBits   = $clog2(hotnas_pkg::Tn / hotnas_pkg::ChannelBlock + 1);

  hotnas_pkg::descriptor_t cfg;
  assign cfg = cfg_i;

  // ---------------------------------------------------------------- requests, tile by tile
  typedef enum logic [2:0] {Idle, WaitHalf, Clip, Size, Request} request_e;
  request_e    state_q;
  logic        begun_q;
  logic [1:0]  halves_free_q;
  logic [15:0] tile_r_q, tile_c_q, tiles_r_end_q, tiles_c_end_q;
  logic signed [16:0] y0_q, x0_q;             // footprint origin in the IFM, negative in padding
  logic signed [32:0] row_bytes_q, col_bytes_q;  // the same in bytes
  logic [7:0]  skip_rows_q;                   // rows of padding, 255 at most
  logic [IfmAddrBits-1:0] first_row_q, first_col_q;  // words before the first valid row, and in it; with the half's base
  logic [15:0] rows_q, cols_q;
  logic        half_q;                        // that the tile goes to
  logic [IfmAddrBits-1:0] rows_end_q, cols_end_q;  // last ones of the tile's valid part, which fits a bank
  logic        one_row_q, one_col_q;
  logic [31:0] run_words_q;
  logic [15:0] runs_q;
  logic [63:0] addr_q;
  logic        last_r, last_c, last_r_q, last_c_q, walker_start, walker_last, tile_taken, box_ready;
  logic        final_q;                       // the tile on offer is the layer's last
  logic        started_q;                     // a layer's first tile waits for a half of the buffer

  assign last_r = tile_r_q == tiles_r_end_q;
  assign last_c = tile_c_q == tiles_c_end_q;

  // What follows from the tile in turn alone is prepared in a cycle of waiting, for Clip and Request; what
  // follows from the layer alone, as it starts.
  logic signed [17:0] y_last_q, x_last_q;  // ends of the footprint in the IFM, behind its last row or column
  logic [15:0] th_tile_q, tw_tile_q;       // rows and columns of the footprint
  logic [16:0] row_step_q, col_step_q;     // from tile to tile
  logic [15:0] slices_end_q;
  logic [BlockBits-1:0]   blocks_end_q, last_blocks_end_q;
  logic [IfmAddrBits-1:0] tw_q, slice_px_q;
  logic [63:0] base_q;                     // of the layer's map
  logic [32:0] box_bytes_q;                // from there to the first valid word
  always_ff @(posedge clk_i) begin
    last_r_q    <= last_r;
    last_c_q    <= last_c;
    y_last_q    <= 18'(y0_q) + $signed({2'b0, last_r ? cfg.th_last : cfg.th});
    x_last_q    <= 18'(x0_q) + $signed({2'b0, last_c ? cfg.tw_last : cfg.tw});
    th_tile_q   <= last_r ? cfg.th_last : cfg.th;
    tw_tile_q   <= last_c ? cfg.tw_last : cfg.tw;
    row_step_q  <= 17'(cfg.tr * 16'(cfg.stride_rows));
    col_step_q  <= 17'(cfg.tc * 16'(cfg.stride_columns));
    slices_end_q <= cfg.slices - 16'd1;
    blocks_end_q <= BlockBits'(cfg.slice_blocks - 16'd1);
    last_blocks_end_q <= BlockBits'(cfg.slice_blocks_last - 16'd1);
    tw_q        <= IfmAddrBits'(cfg.tw);
    slice_px_q  <= IfmAddrBits'(cfg.slice_px);
    tiles_r_end_q <= cfg.tiles_r - 16'd1;
    tiles_c_end_q <= cfg.tiles_c - 16'd1;
    base_q      <= (hotnas_pkg::MapWords != 0 && cfg.ifm_on_chip) ? 64'(cfg.ifm_chip) : base_i + 64'(cfg.ifm_addr);
    box_bytes_q <= (row_bytes_q[32] ? '0 : {1'b0, row_bytes_q[31:0]}) + (col_bytes_q[32] ? '0 : {1'b0, col_bytes_q[31:0]});
  end

  // Valid rows of the footprint, [max(y0, 0), min(y0 + th, in_rows)), and columns: as many as follow from either end.
  logic [15:0] rows, cols;
  always_comb begin
    if (y_last_q > $signed({2'b0, cfg.in_rows})) rows = cfg.in_rows - (y0_q[16] ? '0 : y0_q[15:0]);
    else rows = y0_q[16] ? y_last_q[15:0] : th_tile_q;
    if (x_last_q > $signed({2'b0, cfg.in_columns})) cols = cfg.in_columns - (x0_q[16] ? '0 : x0_q[15:0]);
    else cols = x0_q[16] ? x_last_q[15:0] : tw_tile_q;
  end

  // The next tile is prepared while the walker still asks for this one: requests leave no gap.
  assign walker_start = (state_q == Request) && box_ready && (!run_valid_o || tile_taken);

  always_ff @(posedge clk_i) begin
    if (!rst_ni || idle_i) begin
      state_q       <= Idle;
      begun_q       <= 1'b0;
      started_q     <= 1'b0;
      halves_free_q <= 2'd2;
      half_q        <= 1'b0;
      tile_r_q      <= '0;
      tile_c_q      <= '0;
      y0_q          <= '0;
      x0_q          <= '0;
      row_bytes_q   <= '0;
      col_bytes_q   <= '0;
    end else begin
      // That a layer starts, or begins, is known late in a cycle: either ends at one register.
      begun_q   <= begin_i || (begun_q && !start_i);
      started_q <= start_i || (started_q && (state_q == Idle) && (halves_free_q == '0));
      halves_free_q <= halves_free_q - 2'(walker_start) + 2'(release_i);
      half_q        <= half_q ^ walker_start;
      unique case (state_q)
        Idle: begin
          if (started_q && halves_free_q != '0) state_q <= Clip;
          tile_r_q    <= '0;
          tile_c_q    <= '0;
          y0_q        <= 17'(-$signed({1'b0, cfg.pad_top}));
          x0_q        <= 17'(-$signed({1'b0, cfg.pad_left}));
          row_bytes_q <= -$signed({1'b0, cfg.ifm_pad_top_bytes});
          col_bytes_q <= -$signed({1'b0, cfg.ifm_pad_left_bytes});
        end
        WaitHalf: if (begun_q && halves_free_q != '0) state_q <= Clip;
        Clip: state_q <= Size;
        Size: begin  // the tile's place is known: go to the next one's, whenever the walker takes this one
          state_q  <= Request;
          final_q  <= last_r_q && last_c_q;
          if (last_c_q) begin
            tile_c_q    <= '0;
            x0_q        <= 17'(-$signed({1'b0, cfg.pad_left}));
            col_bytes_q <= -$signed({1'b0, cfg.ifm_pad_left_bytes});
            tile_r_q    <= tile_r_q + 1'b1;
            y0_q        <= y0_q + $signed(row_step_q);
            row_bytes_q <= row_bytes_q + $signed({1'b0, cfg.ifm_tile_row_step});
          end else begin
            tile_c_q    <= tile_c_q + 1'b1;
            x0_q        <= x0_q + $signed(col_step_q);
            col_bytes_q <= col_bytes_q + $signed({1'b0, cfg.ifm_tile_column_step});
          end
        end
        Request: if (walker_start) state_q <= final_q ? Idle : WaitHalf;
        default: state_q <= Idle;
      endcase
    end
  end

  // A box fits a bank, and so does its number of words.
  logic [IfmAddrBits-1:0] box_words;
  assign box_words = IfmAddrBits'(rows_q) * IfmAddrBits'(cols_q);

  always_ff @(posedge clk_i) begin
    if (state_q == Clip) begin
      rows_q      <= rows;
      cols_q      <= cols;
      skip_rows_q <= y0_q[16] ? 8'(-y0_q) : '0;
      first_col_q <= (x0_q[16] ? IfmAddrBits'(8'(-x0_q)) : '0) + (half_q ? IfmAddrBits'(hotnas_pkg::IfmDepth) : '0);
      addr_q      <= base_q + 64'(box_bytes_q);
    end
    if (state_q == Size) begin
      rows_end_q  <= IfmAddrBits'(rows_q - 16'd1);
      cols_end_q  <= IfmAddrBits'(cols_q - 16'd1);
      one_row_q   <= rows_q == 16'd1;
      one_col_q   <= cols_q == 16'd1;
      run_words_q <= 32'(cfg.ifm_merged ? box_words : IfmAddrBits'(cols_q));
      runs_q      <= cfg.ifm_merged ? 16'd1 : rows_q;
      first_row_q <= IfmAddrBits'(skip_rows_q) * tw_q;
    end
  end

  assign tile_taken = run_valid_o && run_ready_i && walker_last;

  // All runs of a tile have as many beats. A word has few: they are added up, which takes no DSP slice.
  localparam int unsigned BeatsBits = $clog2(hotnas_pkg::WordBits / hotnas_pkg::IfmPortBits + 1);
  logic [31:0] run_beats;
  always_comb begin
    run_beats = '0;
    for (int unsigned b = 0; b < BeatsBits; b++) begin
      if (cfg.ifm_word_beats[b]) run_beats += 32'(IfmAddrBits'(run_words_q)) << b;
    end
  end
  always_ff @(posedge clk_i) if (walker_start) run_beats_o <= run_beats;

  logic block_last;
  run_walker u_walker (
    .clk_i,
    .rst_ni,
    .start_i        (walker_start),
    .addr_i         (addr_q),
    .blocks_i       (cfg.ifm_blocks),
    .block_stride_i (cfg.ifm_block_stride),
    .runs_i         (runs_q),
    .run_stride_i   (cfg.ifm_row_stride),
    .words_i        (run_words_q),
    .run_valid_o,
    .run_ready_i,
    .run_addr_o,
    .run_words_o,
    .block_last_o   (block_last),
    .last_o         (walker_last)
  );

  logic [BlockBits-1:0] asked_block_q;  // channel block of the run offered, within its slice
  assign slice_last_o = block_last && ((asked_block_q == blocks_end_q) || walker_last);
  always_ff @(posedge clk_i) begin
    if (!rst_ni || start_i) asked_block_q <= '0;
    else if (run_valid_o && run_ready_i && block_last) asked_block_q <= slice_last_o ? '0 : asked_block_q + 1'b1;
  end

  // ---------------------------------------------------------------- reception: where the words go
  logic                   box_valid, box_one_row, box_one_col;  // of the tile that comes
  logic [IfmAddrBits-1:0] box_rows_end, box_cols_end, box_first;

  logic receiving_q, word_done, row_done, block_done, slice_done, tile_received;
  logic last_col, last_row, last_block, last_slice;

  stream_fifo #(.Width(2 + 3 * IfmAddrBits), .Depth(2)) u_boxes (
    .clk_i,
    .rst_ni,
    .valid_i (walker_start),
    .ready_o (box_ready),
    .data_i  ({one_row_q, one_col_q, rows_end_q, cols_end_q, first_row_q + first_col_q}),
    .valid_o (box_valid),
    .ready_i (tile_received),
    .data_o  ({box_one_row, box_one_col, box_rows_end, box_cols_end, box_first})
  );

  // Rows and columns are counted down; whether one is the last is known before its first word comes.
  logic                   last_row_q, last_col_q;
  logic [IfmAddrBits-1:0] rows_left_q, cols_left_q, rows_left, cols_left;
  logic [BlockBits-1:0]   block_q;
  logic [15:0]            slice_q;
  logic [IfmAddrBits-1:0] slice_addr_q, row_addr_q, word_addr_q, slice_addr, row_addr, word_addr;  // of each one's first

  // In the first word of a tile all of them begin.
  assign last_row      = receiving_q ? last_row_q : box_one_row;
  assign last_col      = receiving_q ? last_col_q : box_one_col;
  assign rows_left     = receiving_q ? rows_left_q : box_rows_end;
  assign cols_left     = receiving_q ? cols_left_q : box_cols_end;
  assign slice_addr    = receiving_q ? slice_addr_q : box_first;
  assign row_addr      = receiving_q ? row_addr_q : box_first;
  assign word_addr     = receiving_q ? word_addr_q : box_first;

  assign word_ready_o  = box_valid;
  assign last_slice    = slice_q == slices_end_q;
  assign last_block    = block_q == (last_slice ? last_blocks_end_q : blocks_end_q);
  assign word_done     = word_valid_i && word_ready_o;
  assign row_done      = word_done && last_col;
  assign block_done    = row_done && last_row;
  assign slice_done    = block_done && last_block;
  assign tile_received = slice_done && last_slice;

  always_ff @(posedge clk_i) begin
    if (!rst_ni || idle_i) begin
      receiving_q <= 1'b0;
      slice_q     <= '0;
      block_q     <= '0;
    end else if (word_done) begin
      receiving_q <= !tile_received;
      if (block_done) block_q <= slice_done ? '0 : block_q + 1'b1;
      if (slice_done) slice_q <= tile_received ? '0 : slice_q + 1'b1;
    end
  end

  logic [IfmAddrBits-1:0] next_row_addr;  // behind a row
  always_comb begin
    next_row_addr = row_addr + tw_q;
    if (slice_done) next_row_addr = slice_addr + slice_px_q;
    else if (block_done) next_row_addr = slice_addr;
  end
  always_ff @(posedge clk_i) begin
    if (word_done) begin
      slice_addr_q <= slice_done ? slice_addr + slice_px_q : slice_addr;
      row_addr_q   <= row_done ? next_row_addr : row_addr;
      word_addr_q  <= row_done ? next_row_addr : word_addr + 1'b1;
      cols_left_q  <= row_done ? box_cols_end : cols_left - 1'b1;
      last_col_q   <= row_done ? box_one_col : cols_left == IfmAddrBits'(1);
      rows_left_q  <= block_done ? box_rows_end : rows_left - IfmAddrBits'(row_done);
      last_row_q   <= block_done ? box_one_row : row_done ? rows_left == IfmAddrBits'(1) : last_row;
      wdata_o      <= word_i;
    end
    we_o         <= word_done && rst_ni;
    slice_done_o <= slice_done && rst_ni;
    wblock_o     <= 16'(block_q);
    waddr_o      <= word_addr;
  end

  assign busy_o    = (state_q == Clip) || (state_q == Size) || (state_q == Request) || box_valid;
  assign all_in_o  = (state_q == Idle) && !started_q && !box_valid;
  assign tile_in_o = all_in_o || ((state_q == WaitHalf) && !begun_q && !box_valid);

  logic unused;
  assign unused = ^cfg;

endmodule
