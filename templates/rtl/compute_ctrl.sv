// compute: walks the steps of a layer. A step sweeps the tile's pixels once per entry (a kernel position,
// or Taps of them when channelwise), one pixel a cycle; a sweep takes MinSweep cycles at least, so that a
// pixel's accumulation is finished before the next entry reads it. A step waits for its weight job, its input slice and, if it
// opens an output tile, for a free accumulator half.
//
// Pipeline, from the issue of a pixel in S0: S1 IFM address, S2 IFM words, S3 masked IFM and weights,
// S4 products, S(4+TreeLevels) sum and old accumulator, S(5+TreeLevels) accumulator written.
module compute_ctrl (
  input  logic          clk_i,
  input  logic          rst_ni,
  input  logic          idle_i,        // no run is in work: no weights are there, no slices
  input  logic          start_i,       // pulse: begin the layer in cfg_i
  input  logic [hotnas_pkg::HeaderBits-1:0] cfg_i,         // hotnas_pkg::descriptor_t
  output logic          busy_o,        // a sweep is under way
  output logic          stall_o,       // a step waits for data or for a free accumulator half
  output logic          idle_o,        // every step of the layer was issued
  // tokens
  input  logic          slice_done_i,  // pulse: ifm_loader has filled one more slice
  input  logic          job_done_i,    // pulse: wgt_loader has filled one more slot
  input  logic          stored_i,      // pulse: store_ofm has emptied an accumulator half
  output logic          slot_release_o,
  output logic          half_release_o,
  output logic          output_done_o, // pulse: an accumulator half may be drained, the others behind its first pixel
  // entry table, read combinationally
  output logic [7:0]    entry_o,       // the entry that comes next
  input  logic [hotnas_pkg::EntryBits-1:0] entry_i,  // byte q: kernel row and column read through port q
  // IFM buffer
  output logic [hotnas_pkg::ReadPorts*hotnas_pkg::IfmAddrBits-1:0] ifm_addr_o,
  input  logic [hotnas_pkg::ReadPorts*hotnas_pkg::Tn*hotnas_pkg::ActBits-1:0] ifm_i,
  output logic [hotnas_pkg::ReadPorts*hotnas_pkg::Tn*hotnas_pkg::ActBits-1:0] ifm_o,  // S3, masked
  // weight rows
  output logic          load_o,        // S2: weights of this entry are in use from S3 on
  output logic          load_slot_o,
  output logic [7:0]    load_entry_o,
  output logic          load_bias_o,   // S(3+TreeLevels)
  output logic          load_bias_slot_o,
  // accumulators, S(3+TreeLevels)
  output logic          acc_half_o,
  output logic [hotnas_pkg::AccAddrBits-1:0] acc_addr_o,
  output logic          acc_valid_o,
  output logic          acc_first_o,
  output logic          acc_last_o
);

  localparam int unsigned AccAddrBits = hotnas_pkg::AccAddrBits;
  localparam int unsigned IfmAddrBits = hotnas_pkg::IfmAddrBits;

  localparam int unsigned Ports   = hotnas_pkg::ReadPorts;
  localparam int unsigned TnBits  = hotnas_pkg::Tn * hotnas_pkg::ActBits;
  localparam int unsigned ToAcc   = 3 + hotnas_pkg::TreeLevels;  // stage of the accumulator's address
  localparam int unsigned ToStore = ToAcc + 3;                   // the first cycle a drain may read it

  hotnas_pkg::descriptor_t cfg;
  assign cfg = cfg_i;

  // ---------------------------------------------------------------- steps
  typedef enum logic [1:0] {Idle, Wait, Run} state_e;
  state_e      state_q;
  logic [15:0] tile_r_q, tile_c_q, m_q, n_q, k_q;
  logic        last_r_q, last_c_q, last_m_q, last_n_q, last_k_q, first_step, last_step, last_of_tile, last_of_output;
  logic        step_end, ready, slot_q, ifm_half_q, acc_half_q;
  logic [16:0] slices_q;                        // slices loaded, of this tile and the next
  logic [15:0] slice;                           // slice of the tile this step reads
  logic [1:0]  jobs_q, halves_free_q;
  logic        channelwise_q;

  assign first_step     = (n_q == '0) && (k_q == '0);
  assign last_of_output = last_n_q && last_k_q;
  assign last_of_tile   = last_of_output && last_m_q;
  assign last_step      = last_of_tile && last_c_q && last_r_q;
  assign slice          = channelwise_q ? m_q : n_q;
  assign ready          = (jobs_q != '0) && (slices_q > 17'(slice))
                          && (!first_step || halves_free_q != '0);

  // What follows from the layer alone is there a cycle after it (a product two), what follows from the step a cycle after that,
  // in the first cycle of its first sweep.
  logic [15:0] tw_q;                                  // multiplied by strides and kernel rows
  logic [16:0] slices_taken_q, slices_less_q;         // a tile's slices, taken from slices_q; the same as one comes
  logic [15:0] chunks_end_q, tiles_n_end_q, tiles_m_end_q, tiles_c_end_q, tiles_r_end_q;
  logic [15:0] tile_row_step_q, tile_col_step_q;      // from tile to tile
  logic [IfmAddrBits-1:0] row_step_q;                 // words from an output row to the next
  logic [AccAddrBits-1:0] rows_end_q, cols_end_q;     // last row and column of the tile, whose pixels fit a half
  logic [7:0]  entries_end_q;                         // last entry of the step
  always_ff @(posedge clk_i) begin
    channelwise_q   <= cfg.channelwise;
    tw_q            <= cfg.tw;
    slices_taken_q  <= 17'd0 - 17'(cfg.slices);
    slices_less_q   <= 17'd1 - 17'(cfg.slices);
    chunks_end_q    <= cfg.chunks - 16'd1;
    tiles_n_end_q   <= cfg.tiles_n - 16'd1;
    tiles_m_end_q   <= cfg.tiles_m - 16'd1;
    tiles_c_end_q   <= cfg.tiles_c - 16'd1;
    tiles_r_end_q   <= cfg.tiles_r - 16'd1;
    tile_row_step_q <= cfg.tr * 16'(cfg.stride_rows);
    tile_col_step_q <= cfg.tc * 16'(cfg.stride_columns);
    row_step_q      <= IfmAddrBits'(tw_q * 16'(cfg.stride_rows));

    last_k_q        <= k_q == chunks_end_q;
    last_n_q        <= n_q == tiles_n_end_q;
    last_m_q        <= m_q == tiles_m_end_q;
    last_c_q        <= tile_c_q == tiles_c_end_q;
    last_r_q        <= tile_r_q == tiles_r_end_q;
    entries_end_q <= 8'(((k_q == chunks_end_q) ? cfg.entries_last : cfg.entries) - 9'd1);
    rows_end_q    <= AccAddrBits'(((tile_r_q == tiles_r_end_q) ? cfg.tr_last : cfg.tr) - 16'd1);
    cols_end_q    <= AccAddrBits'(((tile_c_q == tiles_c_end_q) ? cfg.tc_last : cfg.tc) - 16'd1);
  end

  // ---------------------------------------------------------------- sweeps over a tile's pixels
  logic [7:0]  entry_q;
  logic [AccAddrBits-1:0] row_q, col_q, pixel_q;
  logic [2:0]  sweep_q;            // saturating count of the sweep's cycles
  logic        pixels_done_q, col_last, pixel_last, issue, sweep_end, entry_last, sweep_first;
  logic        opening, closing;       // an output tile's first sweep, its last

  assign col_last    = col_q == cols_end_q;
  assign pixel_last  = col_last && (row_q == rows_end_q);
  assign issue       = (state_q == Run) && !pixels_done_q;
  assign sweep_end   = (state_q == Run) && (pixels_done_q || pixel_last)
                       && (sweep_q >= 3'(hotnas_pkg::MinSweep - 1));
  assign entry_last  = entry_q == entries_end_q;
  assign step_end    = sweep_end && entry_last;
  assign sweep_first = (row_q == '0) && (col_q == '0) && !pixels_done_q;
  assign busy_o      = state_q == Run;
  assign stall_o     = (state_q == Wait) && !ready;
  assign idle_o      = state_q == Idle;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      state_q <= Idle;
    end else begin
      unique case (state_q)
        Idle: if (start_i) state_q <= Wait;
        Wait: if (ready) state_q <= Run;
        Run: if (step_end) state_q <= last_step ? Idle : Wait;
        default: state_q <= Idle;
      endcase
    end
  end

  logic [hotnas_pkg::IfmAddrBits-1:0] slice_addr_q, row_addr_q, col_addr_q;  // IFM word of the pixel's corner
  logic signed [16:0]     y_q, x_q;                              // its place in the IFM
  logic signed [16:0]     tile_y_q, tile_x_q;
  logic [hotnas_pkg::IfmAddrBits-1:0] ifm_half_base, next_slice_addr;
  assign ifm_half_base = ifm_half_q ? IfmAddrBits'(hotnas_pkg::IfmDepth) : '0;

  always_comb begin
    next_slice_addr = slice_addr_q;
    if (last_k_q) begin
      if (channelwise_q) next_slice_addr = slice_addr_q + IfmAddrBits'(cfg.slice_px);
      else if (last_n_q) next_slice_addr = ifm_half_base;
      else next_slice_addr = slice_addr_q + IfmAddrBits'(cfg.slice_px);
    end
    if (last_of_tile) next_slice_addr = ifm_half_q ? '0 : IfmAddrBits'(hotnas_pkg::IfmDepth);
  end

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      {tile_r_q, tile_c_q, m_q, n_q, k_q} <= '0;
      acc_half_q    <= 1'b0;
      tile_y_q      <= 17'(-$signed({1'b0, cfg.pad_top}));
      tile_x_q      <= 17'(-$signed({1'b0, cfg.pad_left}));
    end else if (step_end) begin
      k_q <= last_k_q ? '0 : k_q + 1'b1;
      if (last_k_q) n_q <= last_n_q ? '0 : n_q + 1'b1;
      if (last_of_output) begin
        m_q        <= last_m_q ? '0 : m_q + 1'b1;
        acc_half_q <= !acc_half_q;
      end
      if (last_of_tile) begin
        tile_c_q      <= last_c_q ? '0 : tile_c_q + 1'b1;
        tile_x_q      <= last_c_q ? 17'(-$signed({1'b0, cfg.pad_left})) : tile_x_q + 17'(tile_col_step_q);
        if (last_c_q) begin
          tile_r_q <= last_r_q ? '0 : tile_r_q + 1'b1;
          tile_y_q <= tile_y_q + 17'(tile_row_step_q);
        end
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (state_q != Run) begin
      entry_q       <= '0;
      row_q         <= '0;
      col_q         <= '0;
      pixel_q       <= '0;
      sweep_q       <= '0;
      pixels_done_q <= 1'b0;
      row_addr_q    <= slice_addr_q;
      col_addr_q    <= slice_addr_q;
      y_q           <= tile_y_q;
      x_q           <= tile_x_q;
    end else if (sweep_end) begin
      entry_q       <= entry_q + 1'b1;
      row_q         <= '0;
      col_q         <= '0;
      pixel_q       <= '0;
      sweep_q       <= '0;
      pixels_done_q <= 1'b0;
      row_addr_q    <= slice_addr_q;
      col_addr_q    <= slice_addr_q;
      y_q           <= tile_y_q;
      x_q           <= tile_x_q;
    end else begin
      if (sweep_q < 3'(hotnas_pkg::MinSweep - 1)) sweep_q <= sweep_q + 1'b1;
      if (pixel_last) pixels_done_q <= 1'b1;
      pixel_q <= pixel_q + 1'b1;
      if (col_last) begin
        col_q      <= '0;
        row_q      <= row_q + 1'b1;
        row_addr_q <= row_addr_q + row_step_q;
        col_addr_q <= row_addr_q + row_step_q;
        y_q        <= y_q + 17'(cfg.stride_rows);
        x_q        <= tile_x_q;
      end else begin
        col_q      <= col_q + 1'b1;
        col_addr_q <= col_addr_q + IfmAddrBits'(cfg.stride_columns);
        x_q        <= x_q + 17'(cfg.stride_columns);
      end
    end
  end

  // ---------------------------------------------------------------- tokens
  logic step_taken;
  assign step_taken = (state_q == Wait) && ready;

  always_ff @(posedge clk_i) begin
    if (!rst_ni || start_i) begin
      halves_free_q <= 2'd2;
    end else begin
      halves_free_q <= halves_free_q + 2'(stored_i) - 2'(step_taken && first_step);
    end
  end

  // Weight jobs and tiles come before their layer begins: slots, halves and their tokens go on from layer to layer.
  always_ff @(posedge clk_i) begin
    if (!rst_ni || idle_i) begin
      slices_q     <= '0;
      ifm_half_q   <= 1'b0;
      slice_addr_q <= '0;
      jobs_q <= '0;
      slot_q <= 1'b0;
    end else begin
      slices_q   <= slices_q + (!(step_end && last_of_tile) ? 17'(slice_done_i)
                                : slice_done_i ? slices_less_q : slices_taken_q);
      ifm_half_q <= ifm_half_q ^ (step_end && last_of_tile);
      if (step_end) slice_addr_q <= next_slice_addr;
      jobs_q <= jobs_q + 2'(job_done_i) - 2'(step_taken);
      slot_q <= slot_q ^ step_end;
    end
  end

  // What a step held is released when its last pixel has left the pipeline. Of an output tile's last sweep the
  // drain may follow every pixel: it reads one a cycle at most, and the sweep makes one a cycle.
  logic [ToStore-1:0] release_slot_q, release_half_q, output_done_q;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      release_slot_q <= '0;
      release_half_q <= '0;
      output_done_q  <= '0;
    end else begin
      release_slot_q <= {release_slot_q[ToStore-2:0], step_end};
      release_half_q <= {release_half_q[ToStore-2:0], step_end && last_of_tile};
      output_done_q  <= {output_done_q[ToStore-2:0], issue && sweep_first && closing};
    end
  end
  assign slot_release_o = release_slot_q[ToStore-1];
  assign half_release_o = release_half_q[ToStore-1];
  assign output_done_o  = output_done_q[ToStore-1];

  // ---------------------------------------------------------------- S0 -> S1: addresses and masks
  // The entries of a step's sweeps lie one behind another in the table, those of a chunk behind those of the
  // chunk before it. The next one is read during a sweep, and is worked out as it takes the present one's place.
  logic [7:0]  next_entry_q;
  logic [Ports*8-1:0] next_place_q;
  logic        take_entry;
  assign entry_o    = next_entry_q;
  assign take_entry = (state_q == Run) ? sweep_end : 1'b1;
  always_ff @(posedge clk_i) begin
    if (!rst_ni || start_i) next_entry_q <= '0;
    else if (state_q == Run && sweep_q == '0) next_entry_q <= (entry_last && last_k_q) ? '0 : next_entry_q + 1'b1;
    next_place_q <= entry_i[Ports*8-1:0];
  end

  logic [Ports-1:0] valid_px, valid_px_s1_q, valid_px_s2_q;
  logic [Ports*hotnas_pkg::IfmAddrBits-1:0] addr;
  for (genvar port = 0; port < Ports; port++) begin : gen_address
    logic [3:0] ky, kx, ky_q, kx_q;
    logic [IfmAddrBits-1:0] rows_q;  // words from the pixel's corner to the kernel row
    logic signed [16:0] y, x;
    assign ky = next_place_q[port*8+4 +: 4];
    assign kx = next_place_q[port*8 +: 4];
    always_ff @(posedge clk_i) begin
      if (take_entry) begin
        {ky_q, kx_q} <= {ky, kx};
        rows_q       <= IfmAddrBits'(tw_q) * IfmAddrBits'(ky);
      end
    end
    assign y  = y_q + 17'($signed({1'b0, ky_q}));
    assign x  = x_q + 17'($signed({1'b0, kx_q}));
    assign valid_px[port] = !y[16] && !x[16] && (y[15:0] < cfg.in_rows) && (x[15:0] < cfg.in_columns);
    assign addr[port*hotnas_pkg::IfmAddrBits +: hotnas_pkg::IfmAddrBits] =
        col_addr_q + rows_q + IfmAddrBits'(kx_q);
  end

  always_ff @(posedge clk_i) begin
    ifm_addr_o  <= addr;
    valid_px_s1_q <= valid_px;
    valid_px_s2_q <= valid_px_s1_q;
  end

  // ---------------------------------------------------------------- S2 -> S3: masked IFM
  logic [hotnas_pkg::ActBits-1:0] outside;  // what padding counts as
  assign outside = cfg.reduce_max ? {1'b1, {(hotnas_pkg::ActBits-1){1'b0}}} : '0;
  for (genvar port = 0; port < Ports; port++) begin : gen_mask
    always_ff @(posedge clk_i)
      ifm_o[port*TnBits +: TnBits] <= valid_px_s2_q[port] ? ifm_i[port*TnBits +: TnBits]
                                                         : {hotnas_pkg::Tn{outside}};
  end

  // ---------------------------------------------------------------- control travelling with a pixel
  localparam int unsigned LoadBits = 10;  // load, slot, entry
  logic [2*LoadBits-1:0] load_q;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) load_q <= '0;
    else load_q <= {load_q[LoadBits-1:0], issue && sweep_first, slot_q, entry_q};
  end
  assign {load_o, load_slot_o, load_entry_o} = load_q[2*LoadBits-1:LoadBits];

  localparam int unsigned AccBits = hotnas_pkg::AccAddrBits + 6;  // bias load, its slot, half, valid, first, last, address
  logic [ToAcc*AccBits-1:0] acc_q;
  assign opening = first_step && (entry_q == '0);
  assign closing = last_of_output && entry_last;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) acc_q <= '0;
    else
      acc_q <= {acc_q[(ToAcc-1)*AccBits-1:0],
                issue && sweep_first && opening, slot_q, acc_half_q, issue, opening, closing,
                pixel_q};
  end
  assign {load_bias_o, load_bias_slot_o, acc_half_o, acc_valid_o, acc_first_o, acc_last_o, acc_addr_o} =
      acc_q[ToAcc*AccBits-1:(ToAcc-1)*AccBits];

  logic unused;
  assign unused = ^cfg;

endmodule
