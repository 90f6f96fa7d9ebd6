// store_ofm: drains a complete accumulator half, channel block by channel block, adds the residual,
// requantises and writes the words to the OFM. In a design with products the residual may multiply instead,
// and be a vector: a word for each channel block, which all of its pixels take.
module ofm_store (
  input  logic          clk_i,
  input  logic          rst_ni,
  input  logic          start_i,        // pulse: begin the layer in cfg_i
  input  logic [hotnas_pkg::HeaderBits-1:0] cfg_i,          // hotnas_pkg::descriptor_t
  input  logic [63:0]   base_i,         // byte address of `ofm`
  // lines of activations, as descriptors bring them
  input  logic          line_we_i,
  input  logic          line_wbank_i,
  input  logic [5:0]    line_beat_i,
  input  logic [hotnas_pkg::WgtPortBits-1:0] line_data_i,
  input  logic          line_bank_i,    // of the layer in work
  input  logic          output_done_i,  // pulse: an accumulator half is complete
  output logic          stored_o,       // pulse: the oldest half is written and free
  output logic          busy_o,         // an output tile is being stored
  output logic          done_o,         // every output tile of the layer was stored
  // accumulators
  output logic          drain_half_o,
  output logic [hotnas_pkg::AccAddrBits-1:0] drain_addr_o,
  input  logic [hotnas_pkg::Tm*hotnas_pkg::AccBits-1:0] drain_i,  // one cycle later
  // residual: runs of words, in DRAM or on chip
  output logic          res_run_valid_o,
  input  logic          res_run_ready_i,
  output logic [63:0]   res_run_addr_o,
  output logic [31:0]   res_run_words_o,
  output logic          res_last_o,     // the run offered is the last one of its output tile
  input  logic          res_word_valid_i,
  output logic          res_word_ready_o,
  input  logic [hotnas_pkg::WordBits-1:0] res_word_i,
  // OFM: runs of words, to DRAM or on chip
  output logic          run_valid_o,
  input  logic          run_ready_i,
  output logic [63:0]   run_addr_o,
  output logic [31:0]   run_words_o,
  output logic          word_valid_o,
  input  logic          word_ready_i,
  output logic [hotnas_pkg::WordBits-1:0] word_o
);

  localparam int unsigned Word   = hotnas_pkg::WordBits;
  localparam int unsigned Block  = hotnas_pkg::ChannelBlock;
  localparam int unsigned Acc    = hotnas_pkg::AccBits;
  localparam int unsigned Act    = hotnas_pkg::ActBits;
  localparam int unsigned Blocks = hotnas_pkg::Tm / Block;
  localparam int unsigned FifoDepth = 16;
  // A vector's words of an output tile fit, so that none holds up a bus that others read through.
  localparam int unsigned ResDepth =
      (hotnas_pkg::Products != 0 && Blocks > FifoDepth) ? 1 << $clog2(Blocks) : FifoDepth;
  // Counts are as wide as a tile and its channel blocks need: their products stay small.
  localparam int unsigned PixelBits = hotnas_pkg::AccAddrBits + 1;
  localparam int unsigned BlockBits = $clog2(Blocks + 1);
  localparam int unsigned WordsBits = PixelBits + BlockBits;

  hotnas_pkg::descriptor_t cfg;
  assign cfg = cfg_i;

  logic vector, multiplies;
  assign vector     = (hotnas_pkg::Products != 0) && cfg.res_vector;
  assign multiplies = (hotnas_pkg::Products != 0) && cfg.res_multiplies;

  // ---------------------------------------------------------------- output tiles: (tile, m)
  typedef enum logic [2:0] {Idle, Wait, Count, Size, Drain} state_e;
  state_e      state_q;
  logic [15:0] tile_r_q, tile_c_q, m_q, rows_q, cols_q, blocks_q;
  logic [31:0] row_bytes_q, col_bytes_q, m_bytes_q, run_words_q;
  logic [31:0] tile_bytes_q;           // the m_blocks channel blocks of an output tile
  logic [63:0] ofm_addr_q, res_addr_q;
  logic [15:0] runs_q;
  logic [WordsBits-1:0] words_q, words_left_q;  // words of this output tile; those not yet written
  logic [1:0]  complete_q;             // accumulator halves waiting to be stored
  logic        idle_q;                 // state_q == Idle: a register of its own, for whether a word may be read asks it
  logic        half_q, walkers_start_q, last_r, last_c, last_m, last_r_q, last_c_q, last_m_q;
  logic        last_beat, word_written, one_word_q;  // that is left

  // Of the output tile in turn; in a cycle of Wait its sizes and its place are prepared for Count and Size.
  assign last_m = m_q == cfg.tiles_m - 16'd1;
  assign last_c = tile_c_q == cfg.tiles_c - 16'd1;
  assign last_r = tile_r_q == cfg.tiles_r - 16'd1;
  always_ff @(posedge clk_i) begin
    {last_r_q, last_c_q, last_m_q} <= {last_r, last_c, last_m};
    rows_q   <= last_r ? cfg.tr_last : cfg.tr;
    cols_q   <= last_c ? cfg.tc_last : cfg.tc;
    blocks_q <= last_m ? cfg.m_blocks_last : cfg.m_blocks;
  end
  assign busy_o = (state_q != Idle) && (state_q != Wait);
  assign done_o = idle_q;
  assign last_beat = word_written && one_word_q;
  assign stored_o  = last_beat;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      state_q         <= Idle;
      idle_q          <= 1'b1;
      complete_q      <= '0;
      half_q          <= 1'b0;
      walkers_start_q <= 1'b0;
      {tile_r_q, tile_c_q, m_q} <= '0;
      {row_bytes_q, col_bytes_q, m_bytes_q} <= '0;
    end else begin
      complete_q      <= complete_q + 2'(output_done_i) - 2'(state_q == Size);
      walkers_start_q <= state_q == Size;
      unique case (state_q)
        Idle: begin  // the first tile's place is known before the layer starts: that is known late in a cycle
          if (start_i) begin
            state_q <= Wait;
            idle_q  <= 1'b0;
          end
          half_q <= 1'b0;
          {tile_r_q, tile_c_q, m_q} <= '0;
          {row_bytes_q, col_bytes_q, m_bytes_q} <= '0;
        end
        Wait: if (complete_q != '0) state_q <= Count;
        Count: state_q <= Size;
        Size: state_q <= Drain;
        Drain: if (last_beat) begin
          state_q   <= (last_m_q && last_c_q && last_r_q) ? Idle : Wait;
          idle_q    <= last_m_q && last_c_q && last_r_q;
          half_q    <= !half_q;
          m_q       <= last_m_q ? '0 : m_q + 1'b1;
          m_bytes_q <= last_m_q ? '0 : m_bytes_q + tile_bytes_q;
          if (last_m_q) begin
            tile_c_q    <= last_c_q ? '0 : tile_c_q + 1'b1;
            col_bytes_q <= last_c_q ? '0 : col_bytes_q + cfg.ofm_tile_column_step;
            if (last_c_q) begin
              tile_r_q    <= tile_r_q + 1'b1;
              row_bytes_q <= row_bytes_q + cfg.ofm_tile_row_step;
            end
          end
        end
        default: state_q <= Idle;
      endcase
    end
  end

  logic [63:0] ofm_base_q, res_base_q;  // of the layer's maps
  logic [31:0] offset_q, vector_q;      // of the output tile's first word, in its map and in a vector
  logic [PixelBits-1:0] pixels_q;       // counted one cycle before they are used: one product a cycle
  logic [WordsBits-1:0] words;
  assign words = WordsBits'(pixels_q) * WordsBits'(BlockBits'(blocks_q));
  always_ff @(posedge clk_i) begin
    ofm_base_q   <= (hotnas_pkg::MapWords != 0 && cfg.ofm_on_chip) ? 64'(cfg.ofm_chip) : base_i + 64'(cfg.ofm_addr);
    res_base_q   <= (hotnas_pkg::MapWords != 0 && cfg.res_on_chip) ? 64'(cfg.res_chip) : base_i + 64'(cfg.res_addr);
    tile_bytes_q <= 32'(BlockBits'(cfg.m_blocks)) * cfg.ofm_block_stride;
    offset_q     <= row_bytes_q + col_bytes_q + m_bytes_q;
    if (state_q == Idle || stored_o) begin
      vector_q   <= (state_q == Idle || last_m_q) ? '0 : vector_q + 32'(BlockBits'(cfg.m_blocks)) * 32'(Word / 8);
    end
    if (state_q == Count) pixels_q <= PixelBits'(rows_q) * PixelBits'(cols_q);
    if (state_q == Size) begin
      ofm_addr_q   <= ofm_base_q + 64'(offset_q);
      res_addr_q   <= res_base_q + 64'(vector ? vector_q : offset_q);
      run_words_q  <= cfg.ofm_merged ? 32'(pixels_q) : 32'(cols_q);
      runs_q       <= cfg.ofm_merged ? 16'd1 : rows_q;
      words_q      <= words;
      words_left_q <= words;
      one_word_q   <= pixels_q == PixelBits'(1) && blocks_q == 16'd1;
    end else if (word_written) begin
      words_left_q <= words_left_q - WordsBits'(1);
      one_word_q   <= words_left_q == WordsBits'(2);
    end
  end

  logic unused_last;
  run_walker u_ofm_runs (
    .clk_i,
    .rst_ni,
    .start_i        (walkers_start_q),
    .addr_i         (ofm_addr_q),
    .blocks_i       (blocks_q),
    .block_stride_i (cfg.ofm_block_stride),
    .runs_i         (runs_q),
    .run_stride_i   (cfg.ofm_row_stride),
    .words_i        (run_words_q),
    .run_valid_o,
    .run_ready_i,
    .run_addr_o,
    .run_words_o,
    .block_last_o   (),
    .last_o         (unused_last)
  );

  run_walker u_residual_runs (
    .clk_i,
    .rst_ni,
    .start_i        (walkers_start_q && cfg.has_residual),
    .addr_i         (res_addr_q),
    .blocks_i       (vector ? 16'd1 : blocks_q),
    .block_stride_i (cfg.ofm_block_stride),
    .runs_i         (vector ? 16'd1 : runs_q),
    .run_stride_i   (cfg.ofm_row_stride),
    .words_i        (vector ? 32'(blocks_q) : run_words_q),
    .run_valid_o    (res_run_valid_o),
    .run_ready_i    (res_run_ready_i),
    .run_addr_o     (res_run_addr_o),
    .run_words_o    (res_run_words_o),
    .block_last_o   (),
    .last_o         (res_last_o)
  );

  // ---------------------------------------------------------------- residual words
  logic            res_valid, res_take;
  logic [Word-1:0] res_word;

  stream_fifo #(.Width(Word), .Depth(ResDepth)) u_residual (
    .clk_i,
    .rst_ni,
    .valid_i (res_word_valid_i),
    .ready_o (res_word_ready_o),
    .data_i  (res_word_i),
    .valid_o (res_valid),
    .ready_i (res_take),
    .data_o  (res_word)
  );

  // ---------------------------------------------------------------- drain: one word a cycle
  // D0 accumulator address, D1 accumulators, D2 the block's accumulators, D3..D5 requantised word; in a design
  // with activations of lines three stages for what these make of it, with products three for those.
  localparam int unsigned Activated = hotnas_pkg::LineWords == 0 ? 5 : 8;
  localparam int unsigned Stages    = Activated + (hotnas_pkg::Products == 0 ? 0 : 3);
  logic [hotnas_pkg::AccAddrBits-1:0] pixel_q;
  logic [15:0] block_q, block_d1_q;
  logic [WordsBits-1:0] words_to_drain_q;
  logic [4:0]  pending_q;   // words in the pipeline and in the FIFO behind it
  logic        drain, last_pixel;
  logic [Stages-1:0] valid_q;  // from D1 on
  logic [Word-1:0] act_word, word_in;
  logic [Acc:0]    rounding_q;  // half of what requantisation shifts out
  logic [Block*Acc-1:0] block_acc_q;

  assign drain        = (words_to_drain_q != '0) && (pending_q != 5'(FifoDepth))
                        && (!cfg.has_residual || res_valid);
  assign res_take     = drain && cfg.has_residual && (!vector || last_pixel);
  assign last_pixel   = PixelBits'(pixel_q) == pixels_q - PixelBits'(1);
  assign drain_half_o = half_q;
  assign drain_addr_o = pixel_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      words_to_drain_q <= '0;
      pending_q        <= '0;
      valid_q          <= '0;
      pixel_q          <= '0;
      block_q          <= '0;
    end else begin
      pending_q <= pending_q + 5'(drain) - 5'(word_written);
      valid_q   <= {valid_q[Stages-2:0], drain};
      if (walkers_start_q) begin
        words_to_drain_q <= words_q;
        pixel_q          <= '0;
        block_q          <= '0;
      end else if (drain) begin
        words_to_drain_q <= words_to_drain_q - WordsBits'(1);
        pixel_q          <= last_pixel ? '0 : pixel_q + 1'b1;
        if (last_pixel) block_q <= block_q + 1'b1;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    block_d1_q <= block_q;
    rounding_q <= (cfg.output_shift == '0) ? '0 : (Acc + 1)'(1) << (cfg.output_shift - 8'd1);
  end

  // The block's accumulators out of all Tm.
  logic [Block*Acc-1:0] block_acc;
  always_comb begin
    block_acc = drain_i[0 +: Block*Acc];
    for (int unsigned b = 1; b < Blocks; b++)
      if (block_d1_q == 16'(b)) block_acc = drain_i[b*Block*Acc +: Block*Acc];
  end
  always_ff @(posedge clk_i) block_acc_q <= block_acc;

  for (genvar c = 0; c < Block; c++) begin : gen_channel
    logic [Act-1:0] act;
    logic signed [Act+2:0] residual_q;  // D1, shifted in part
    always_ff @(posedge clk_i)
      residual_q <= (cfg.has_residual && !multiplies)
                    ? (Act + 3)'($signed(res_word[c*Act +: Act])) <<< cfg.residual_shift[1:0] : '0;
    requantize u_requantize (
      .clk_i,
      .acc_i            (block_acc_q[c*Acc +: Acc]),
      .residual_i       (residual_q),
      .residual_shift_i (cfg.residual_shift[7:2]),
      .output_shift_i   (cfg.output_shift),
      .rounding_i       (rounding_q),
      .clamp_low_i      (cfg.clamp_low),
      .clamp_high_i     (cfg.clamp_high),
      .act_o            (act)
    );
    if (hotnas_pkg::LineWords == 0) begin : gen_clamp
      assign act_word[c*Act +: Act] = act;
    end else begin : gen_lines
      activation_lines u_lines (
        .clk_i,
        .we_i    (line_we_i),
        .wbank_i (line_wbank_i),
        .beat_i  (line_beat_i),
        .wdata_i (line_data_i),
        .bank_i  (line_bank_i),
        .act_i   (act),
        .act_o   (act_word[c*Act +: Act])
      );
    end
  end

  if (hotnas_pkg::Products == 0) begin : gen_no_products
    assign word_in = act_word;
  end else begin : gen_products
    logic [Activated*Word-1:0] factors_q;  // on their way beside the sums; ones where none multiply
    always_ff @(posedge clk_i)
      factors_q <= {factors_q[(Activated-1)*Word-1:0], multiplies ? res_word : {Block{Act'(1)}}};
    for (genvar c = 0; c < Block; c++) begin : gen_channel
      product u_product (
        .clk_i,
        .act_i    (act_word[c*Act +: Act]),
        .factor_i (factors_q[(Activated-1)*Word + c*Act +: Act]),
        .shift_i  (multiplies ? cfg.residual_shift : 8'd0),
        .act_o    (word_in[c*Act +: Act])
      );
    end
  end

  logic unused_ready;
  stream_fifo #(.Width(Word), .Depth(FifoDepth)) u_words (
    .clk_i,
    .rst_ni,
    .valid_i (valid_q[Stages-1]),
    .ready_o (unused_ready),  // pending_q never exceeds the depth
    .data_i  (word_in),
    .valid_o (word_valid_o),
    .ready_i (word_ready_i),
    .data_o  (word_o)
  );
  assign word_written = word_valid_o && word_ready_i;

  logic unused;
  assign unused = ^{cfg, unused_last, unused_ready, line_we_i, line_wbank_i, line_beat_i, line_data_i, line_bank_i};

endmodule
