// Runs the layers one after another, for each image of a batch in turn: starts load, compute and store, waits
// until every write is answered, and files the layer's cycle counts. As soon as a layer's own weights are in,
// the descriptor and the first weights of the next layer of the image are asked for, and its first tile where
// that lies on chip; the layer ends when they are there. The arguments of a run are those at its start; they may change behind it.
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
  output logic [31:0]   status_o,       // 0, or error bits [6:0] and the layer in [31:16]
  input  logic [3:0]    errors_i,       // pulses: m_axi_ofm write, m_axi_ofm read, m_axi_wgt, m_axi_ifm
  output logic          idle_o,         // no run is in work, nothing of one is left
  output logic          running_o,      // a layer is in work
  // descriptors, see descriptor_fetch.sv
  output logic          ask_o,          // pulse: fetch the next one
  output logic          ask_first_o,    // it is that of the first layer
  output logic          taken_o,        // pulse: the layer fetched begins, or never will
  input  logic          fetching_i,     // one is on its way, or its first weights are, or they wait to be taken
  input  logic          fetched_i,      // they wait to be taken
  input  logic          refused_i,      // with a descriptor that was not made for this design
  input  logic          fetch_error_i,  // with a beat that came with an error
  input  logic          weights_begin_i, // pulse: the weights of the layer fetched begin to come
  input  logic          weights_in_i,   // all weights of the layer in work are in
  input  logic          weights_wrong_i, // pulse: those of the layer whose weights came a cycle ago are damaged
  // its first tile, see tile_ahead.sv
  input  logic          tile_came_i,    // load_ifm works on it
  input  logic          tile_there_i,   // it is there, or does not come ahead
  output logic          table_bank_o,   // of the entry table: that of the layer in work
  output logic          fetch_bank_o,   // and that of the layer fetched
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

  // Begin waits for a layer of which nothing came ahead, Take begins one of which all did.
  typedef enum logic [2:0] {Idle, Begin, Take, Run, File} state_e;
  state_e      state_q;
  logic [15:0] layer_q, layers_end_q;
  logic [31:0] images_left_q, image_stride_q;
  logic [3:0]  errors_q;
  logic [31:0] cycles_q, load_ifm_q, ahead_ifm_q, load_wgt_q, ahead_wgt_q, compute_q, store_ofm_q, stall_q;
  logic        last_layer_q, last_image_q, last, goes_ahead, ahead_there, good, refused_q, failed, start, next;
  logic        too_many_q, nothing_q;   // the arguments: more layers than rows of counts; no layer, no image
  logic        wrong_q, ahead_wrong_q;  // weights of the layer in work, and of the one fetched
  logic        fetching_q, wrong, ahead_wrong;

  assign idle_o        = state_q == Idle;
  assign running_o     = state_q == Run;
  assign start         = idle_o && start_i && !nothing_q;
  assign next          = (state_q == File) && !last && !failed;
  assign last          = last_layer_q && last_image_q;
  assign wrong         = wrong_q || (weights_wrong_i && !fetching_q);
  assign ahead_wrong   = ahead_wrong_q || (weights_wrong_i && fetching_q);
  assign failed        = refused_q || wrong_q || (errors_q != '0);
  assign goes_ahead    = !last_layer_q && (hotnas_pkg::SharedBus == 0);
  assign ahead_there   = (fetched_i || !goes_ahead) && tile_there_i;
  assign ask_o         = start || (next && !fetching_i)
                         || (running_o && goes_ahead && weights_in_i && !fetching_i);
  assign ask_first_o   = last_layer_q;
  assign good          = !refused_i && !fetch_error_i;
  assign layer_start_o = good && ((state_q == Begin) ? weights_begin_i : (state_q == Take));
  assign taken_o       = layer_start_o || idle_o;
  assign table_bank_o  = layer_q[0];
  assign fetch_bank_o  = layer_q[0] ^ running_o;
  assign done_o        = ((state_q == File) && (last || failed))
                         || ((state_q == Idle) && start_i && nothing_q);
  assign profile_we_o    = state_q == File;
  assign profile_layer_o = layer_q;
  assign profile_o = {64'd0, stall_q, store_ofm_q, compute_q, load_wgt_q, load_ifm_q, cycles_q + 32'd1};

  always_ff @(posedge clk_i) fetching_q <= fetching_i;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      state_q   <= Idle;
      layer_q   <= '0;
      errors_q  <= '0;
      refused_q <= 1'b0;
      status_o  <= '0;
      {wrong_q, ahead_wrong_q} <= '0;
    end else begin
      // What m_axi_wgt brings while it fetches is of the layer fetched.
      if (state_q != Idle) errors_q <= errors_q | (errors_i & {2'b11, !fetching_i, 1'b1});
      {wrong_q, ahead_wrong_q} <= {wrong, ahead_wrong};
      unique case (state_q)
        Idle: if (start_i) begin
          status_o  <= {26'd0, too_many_q, 5'd0};
          errors_q  <= '0;
          refused_q <= 1'b0;
          layer_q   <= '0;
          {wrong_q, ahead_wrong_q} <= '0;
          if (!nothing_q) state_q <= Begin;
        end
        Begin, Take: begin
          if (layer_start_o) state_q <= Run;
          else if (fetched_i) begin
            state_q     <= File;
            refused_q   <= refused_i;
            errors_q[1] <= fetch_error_i;
          end
        end
        Run: if (layer_done_i && ahead_there) state_q <= File;
        File: begin
          state_q <= !next ? Idle : fetching_i ? Take : Begin;
          if (failed) status_o <= {layer_q, 9'd0, wrong_q, 1'b0, refused_q, errors_q};
          {wrong_q, ahead_wrong_q} <= {ahead_wrong, 1'b0};
          layer_q <= last_layer_q ? '0 : layer_q + 1'b1;
        end
        default: state_q <= Idle;
      endcase
    end
  end

  // They were written cycles before a run starts; whether a layer or an image is the last is asked cycles after it
  // became one. Before a run the first layer is next too.
  always_ff @(posedge clk_i) begin
    last_layer_q <= idle_o || layer_q == layers_end_q;
    last_image_q <= images_left_q == 32'd1;
    too_many_q   <= layers_i >= 32'(hotnas_pkg::ProfileSlots);  // the last row is the run's
    nothing_q    <= (layers_i >= 32'(hotnas_pkg::ProfileSlots)) || (layers_i == '0) || (images_i == '0);
  end

  always_ff @(posedge clk_i) begin
    if (state_q == Idle) begin
      ifm_base_o     <= ifm_base_i;
      ofm_base_o     <= ofm_base_i;
      wgt_base_o     <= wgt_base_i;
      layers_end_q   <= 16'(layers_i - 32'd1);
      images_left_q  <= images_i;
      image_stride_q <= image_stride_i;
    end else if (state_q == File && last_layer_q) begin
      ifm_base_o    <= ifm_base_o + 64'(image_stride_q);
      ofm_base_o    <= ofm_base_o + 64'(image_stride_q);
      images_left_q <= images_left_q - 32'd1;
    end
  end

  // Who works is counted a cycle later: in a layer's last cycle nobody does.
  logic load_ifm_busy_q, ahead_ifm_busy_q, load_wgt_busy_q, ahead_wgt_busy_q, compute_busy_q, store_ofm_busy_q;
  logic compute_stall_q;
  always_ff @(posedge clk_i) begin
    load_ifm_busy_q  <= load_ifm_busy_i && !tile_came_i;
    ahead_ifm_busy_q <= load_ifm_busy_i && tile_came_i;
    load_wgt_busy_q  <= load_wgt_busy_i && !fetching_i;
    ahead_wgt_busy_q <= load_wgt_busy_i && fetching_i;
    compute_busy_q   <= compute_busy_i;
    store_ofm_busy_q <= store_ofm_busy_i;
    compute_stall_q  <= compute_stall_i;
    if (state_q == Idle || state_q == File) begin
      cycles_q    <= '0;
      load_ifm_q  <= idle_o ? '0 : ahead_ifm_q;
      ahead_ifm_q <= '0;
      load_wgt_q  <= idle_o ? '0 : ahead_wgt_q;
      ahead_wgt_q <= '0;
      compute_q   <= '0;
      store_ofm_q <= '0;
      stall_q     <= '0;
    end else begin
      cycles_q    <= cycles_q + 32'd1;
      load_ifm_q  <= load_ifm_q + 32'(load_ifm_busy_q);
      ahead_ifm_q <= ahead_ifm_q + 32'(ahead_ifm_busy_q);
      load_wgt_q  <= load_wgt_q + 32'(load_wgt_busy_q);
      ahead_wgt_q <= ahead_wgt_q + 32'(ahead_wgt_busy_q);
      compute_q   <= compute_q + 32'(compute_busy_q);
      store_ofm_q <= store_ofm_q + 32'(store_ofm_busy_q);
      stall_q     <= stall_q + 32'(compute_stall_q);
    end
  end

endmodule
