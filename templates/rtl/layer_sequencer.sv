// Runs the layers one after another, for each image of a batch in turn: fetches a descriptor through
// m_axi_wgt, starts load, compute and store, waits until every write is answered, and files the layer's
// cycle counts. A descriptor that was not made for this design is not run. The arguments of a run are
// those at its start; they may change behind it.
module layer_sequencer (
  input  logic          clk_i,
  input  logic          rst_ni,
  input  logic          start_i,        // pulse: run `layers_i` layers on `images_i` images
  input  logic [31:0]   layers_i,
  input  logic [31:0]   images_i,
  input  logic [31:0]   image_stride_i, // bytes from the feature maps of an image to those of the next
  input  logic [63:0]   ifm_base_i,
  input  logic [63:0]   ofm_base_i,
  input  logic [63:0]   wgt_base_i,
  output logic [63:0]   ifm_base_o,     // of the image in work
  output logic [63:0]   ofm_base_o,
  output logic [63:0]   wgt_base_o,     // of the run in work
  output logic          done_o,         // pulse: all layers done, or stopped by an error
  output logic [31:0]   status_o,       // 0, or error bits [5:0] and the layer in [31:16]
  input  logic [3:0]    errors_i,       // pulses: m_axi_ofm write, m_axi_ofm read, m_axi_wgt, m_axi_ifm
  // descriptor
  output logic          run_valid_o,
  input  logic          run_ready_i,
  output logic [63:0]   run_addr_o,
  output logic [31:0]   run_beats_o,
  input  logic          beat_valid_i,
  input  logic [hotnas_pkg::WgtPortBits-1:0] beat_i,
  output logic          fetching_o,     // m_axi_wgt serves the sequencer
  output logic [hotnas_pkg::HeaderBits-1:0] cfg_o,          // hotnas_pkg::descriptor_t of the layer
  output logic          entry_we_o,     // a beat of the entry table
  output logic [7:0]    entry_beat_o,
  // engine
  output logic          layer_start_o,
  input  logic          layer_done_i,   // compute and store have finished, every write is answered
  input  logic          load_ifm_busy_i,
  input  logic          load_wgt_busy_i,
  input  logic          compute_busy_i,
  input  logic          compute_stall_i,
  input  logic          store_ofm_busy_i,
  // cycle counts of a finished layer
  output logic          profile_we_o,
  output logic [15:0]   profile_layer_o,
  output logic [255:0]  profile_o
);

  localparam int unsigned Beat         = hotnas_pkg::WgtPortBits;
  localparam int unsigned HeaderBeats  = hotnas_pkg::FetchedBits / Beat;
  localparam int unsigned FetchBeats   = hotnas_pkg::DescriptorBytes * 8 / Beat;

  typedef enum logic [2:0] {Idle, Ask, Fetch, Start, Run, File} state_e;
  state_e      state_q;
  logic [15:0] layer_q, last_layer_q;
  logic [31:0] images_left_q, image_stride_q;
  logic [15:0] beat_q;
  logic [63:0] addr_q;
  logic [3:0]  errors_q;
  logic [31:0] cycles_q, load_ifm_q, load_wgt_q, compute_q, store_ofm_q, stall_q;
  logic        last_layer, last, fetched, sealed, refused_q, failed, too_many, nothing;

  assign run_valid_o   = state_q == Ask;
  assign run_addr_o    = addr_q;
  assign run_beats_o   = 32'(FetchBeats);
  assign fetching_o    = (state_q == Ask) || (state_q == Fetch);
  assign fetched       = (state_q == Fetch) && beat_valid_i && (beat_q == 16'(FetchBeats - 1));
  assign entry_we_o    = (state_q == Fetch) && beat_valid_i && (beat_q >= 16'(HeaderBeats));
  assign entry_beat_o  = 8'(beat_q - 16'(HeaderBeats));
  assign layer_start_o = (state_q == Start) && sealed;
  assign last_layer    = layer_q == last_layer_q;
  assign last          = last_layer && (images_left_q == 32'd1);
  assign failed        = refused_q || (errors_q != '0);
  assign too_many      = layers_i >= 32'(hotnas_pkg::ProfileSlots);  // the last row is the run's
  assign nothing       = too_many || (layers_i == '0) || (images_i == '0);
  assign done_o        = ((state_q == File) && (last || failed))
                         || ((state_q == Idle) && start_i && nothing);
  assign profile_we_o    = state_q == File;
  assign profile_layer_o = layer_q;
  assign profile_o = {64'd0, stall_q, store_ofm_q, compute_q, load_wgt_q, load_ifm_q, cycles_q + 32'd1};

  descriptor_check u_check (
    .clk_i,
    .clear_i      (state_q == Ask),
    .beat_valid_i (beat_valid_i && (state_q == Fetch)),
    .beat_i,
    .sealed_o     (sealed)
  );

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      state_q   <= Idle;
      layer_q   <= '0;
      beat_q    <= '0;
      addr_q    <= '0;
      errors_q  <= '0;
      refused_q <= 1'b0;
      status_o  <= '0;
    end else begin
      if (state_q != Idle) errors_q <= errors_q | errors_i;
      unique case (state_q)
        Idle: if (start_i) begin
          status_o  <= {26'd0, too_many, 5'd0};
          errors_q  <= '0;
          refused_q <= 1'b0;
          layer_q   <= '0;
          addr_q    <= wgt_base_i;
          if (!nothing) state_q <= Ask;
        end
        Ask: if (run_ready_i) begin
          state_q <= Fetch;
          beat_q  <= '0;
        end
        Fetch: if (beat_valid_i) begin
          beat_q <= beat_q + 1'b1;
          // A descriptor that came with an error is not run.
          if (fetched) state_q <= ((errors_q | errors_i) != '0) ? File : Start;
        end
        Start: begin
          state_q   <= sealed ? Run : File;
          refused_q <= !sealed;
        end
        Run: if (layer_done_i) state_q <= File;
        File: begin
          state_q <= (last || failed) ? Idle : Ask;
          if (failed) status_o <= {layer_q, 11'd0, refused_q, errors_q};
          layer_q <= last_layer ? '0 : layer_q + 1'b1;
          addr_q  <= last_layer ? wgt_base_o : addr_q + 64'(hotnas_pkg::DescriptorBytes);
        end
        default: state_q <= Idle;
      endcase
    end
  end

  always_ff @(posedge clk_i) begin
    if (state_q == Idle) begin
      ifm_base_o     <= ifm_base_i;
      ofm_base_o     <= ofm_base_i;
      wgt_base_o     <= wgt_base_i;
      last_layer_q   <= 16'(layers_i - 32'd1);
      images_left_q  <= images_i;
      image_stride_q <= image_stride_i;
    end else if (state_q == File && last_layer) begin
      ifm_base_o    <= ifm_base_o + 64'(image_stride_q);
      ofm_base_o    <= ofm_base_o + 64'(image_stride_q);
      images_left_q <= images_left_q - 32'd1;
    end
  end

  // Fields that this design's descriptors have no words for are zero.
  logic [hotnas_pkg::FetchedBits-1:0] cfg_q;
  assign cfg_o = hotnas_pkg::HeaderBits'(cfg_q);
  always_ff @(posedge clk_i) begin
    if ((state_q == Fetch) && beat_valid_i && (beat_q < 16'(HeaderBeats)))
      cfg_q <= {beat_i, cfg_q[hotnas_pkg::FetchedBits-1:Beat]};
  end

  always_ff @(posedge clk_i) begin
    if (state_q == Idle || state_q == File) begin
      cycles_q    <= '0;
      load_ifm_q  <= '0;
      load_wgt_q  <= '0;
      compute_q   <= '0;
      store_ofm_q <= '0;
      stall_q     <= '0;
    end else begin
      cycles_q    <= cycles_q + 32'd1;
      load_ifm_q  <= load_ifm_q + 32'(load_ifm_busy_i);
      load_wgt_q  <= load_wgt_q + 32'(load_wgt_busy_i);
      compute_q   <= compute_q + 32'(compute_busy_i);
      store_ofm_q <= store_ofm_q + 32'(store_ofm_busy_i);
      stall_q     <= stall_q + 32'(compute_stall_i);
    end
  end

endmodule
