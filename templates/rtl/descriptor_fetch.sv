// Fetches the descriptor of a layer through m_axi_wgt and lets its weights begin to come. A layer may be in
// work meanwhile: that one's weights are all in, so that nobody else reads the port, and it has a copy of its
// own descriptor. load_ifm has another one where it goes on to the next layer before the others do. A descriptor that was not made for this design, or came with an error, ends there: its
// weights are not asked for.
module descriptor_fetch (
  input  logic          clk_i,
  input  logic          rst_ni,
  input  logic          ask_i,          // pulse: fetch the next descriptor
  input  logic          first_i,        // it is that of the first layer
  input  logic [63:0]   base_i,         // byte address of `wgt`, where that one lies
  input  logic          taken_i,        // pulse: the layer begins, or never will
  input  logic          hold_i,         // a layer is in work: cfg_o stays its descriptor
  input  logic          take_i,         // pulse: load_ifm goes on to the layer fetched
  output logic          fetching_o,     // from ask_i until taken_i
  output logic          fetched_o,      // descriptor and first weights are there, or never will be
  output logic          refused_o,      // the descriptor is not one of this design
  output logic          error_o,        // a beat came with an error
  // the port
  output logic          port_o,         // it serves this module
  output logic          run_valid_o,
  input  logic          run_ready_i,
  output logic [63:0]   run_addr_o,
  output logic [31:0]   run_beats_o,
  input  logic          beat_valid_i,
  input  logic [hotnas_pkg::WgtPortBits-1:0] beat_i,
  input  logic          error_i,        // pulse: the beat, or one of the weights, came with an error
  // the descriptor
  output logic [hotnas_pkg::HeaderBits-1:0] fetched_cfg_o,  // hotnas_pkg::descriptor_t of the layer fetched
  output logic [hotnas_pkg::HeaderBits-1:0] cfg_o,          // of the layer in work
  output logic [hotnas_pkg::HeaderBits-1:0] load_cfg_o,     // and of the one load_ifm works on
  output logic          good_o,         // the one fetched will begin, as far as is known
  output logic          line_we_o,      // a beat of an activation's lines
  output logic [5:0]    line_beat_o,
  output logic          entry_we_o,     // a beat of the entry table
  output logic [7:0]    entry_beat_o,
  // weights
  output logic          weights_start_o, // pulse: they may come
  input  logic          job_in_i         // pulse: a job of them is in
);

  localparam int unsigned Beat        = hotnas_pkg::WgtPortBits;
  localparam int unsigned HeaderBeats = hotnas_pkg::FetchedBits / Beat;
  localparam int unsigned LineBeats   = hotnas_pkg::LineWords * 32 / Beat;
  localparam int unsigned FetchBeats  = hotnas_pkg::DescriptorBytes * 8 / Beat;

  typedef enum logic [2:0] {Rest, Ask, Fetch, Check, Weights, There} state_e;
  state_e      state_q;
  logic [15:0] beat_q;
  logic        port_q;   // Ask or Fetch; of its own, for it chooses between two addresses
  logic        check_q;  // Check; of its own, for whether a layer begins hangs on it
  logic        beat, header, lines, sealed;

  assign fetching_o      = state_q != Rest;
  assign fetched_o       = state_q == There;
  assign good_o          = ((state_q == Weights) || fetched_o) && !refused_o && !error_o;
  assign port_o          = port_q;
  assign run_valid_o     = state_q == Ask;
  assign run_beats_o     = 32'(FetchBeats);
  assign beat            = (state_q == Fetch) && beat_valid_i;
  assign header          = beat_q < 16'(HeaderBeats);
  assign lines           = !header && beat_q < 16'(HeaderBeats + LineBeats);
  assign line_we_o       = beat && lines;
  assign line_beat_o     = 6'(beat_q - 16'(HeaderBeats));
  assign entry_we_o      = beat && !header && !lines;
  assign entry_beat_o    = 8'(beat_q - 16'(HeaderBeats + LineBeats));
  assign weights_start_o = check_q && sealed && !error_o;

  checksum #(.DataBits(Beat)) u_check (
    .clk_i,
    .begin_i    (state_q == Ask),
    .valid_i    (beat),
    .data_i     (beat_i),
    .expected_i (hotnas_pkg::SealBits'(hotnas_pkg::Signature)),
    .equal_o    (sealed)
  );

  // That a layer begins is known late in a cycle: it resets the state.
  always_ff @(posedge clk_i) begin
    check_q <= 1'b0;
    if (!rst_ni || (taken_i && !ask_i)) begin
      state_q <= Rest;
      port_q  <= 1'b0;
    end else if (ask_i) begin
      state_q <= Ask;
      port_q  <= 1'b1;
    end else begin
      unique case (state_q)
        Ask: if (run_ready_i) state_q <= Fetch;
        Fetch: if (beat && beat_q == 16'(FetchBeats - 1)) begin
          state_q <= Check;
          check_q <= 1'b1;
          port_q  <= 1'b0;
        end
        Check: state_q <= weights_start_o ? Weights : There;
        Weights: if (job_in_i) state_q <= There;
        default: ;
      endcase
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni || ask_i) begin
      beat_q    <= '0;
      refused_o <= 1'b0;
      error_o   <= 1'b0;
    end else begin
      if (beat) beat_q <= beat_q + 1'b1;
      if (state_q == Check) refused_o <= !sealed && !error_o;
      if (fetching_o) error_o <= error_o || error_i;
    end
  end

  // The first descriptor's place is there before it is asked for, the next one's lies behind each.
  always_ff @(posedge clk_i) begin
    if (state_q == Rest && first_i) run_addr_o <= base_i;
    else if (state_q == Ask && run_ready_i) run_addr_o <= run_addr_o + 64'(hotnas_pkg::DescriptorBytes);
  end

  // Fields that this design's descriptors have no words for are zero. The last words are those of the entry
  // table, so that the copy is there when the descriptor is.
  logic [hotnas_pkg::FetchedBits-1:0] fetched_q, cfg_q;
  assign fetched_cfg_o = hotnas_pkg::HeaderBits'(fetched_q);
  assign cfg_o         = hotnas_pkg::HeaderBits'(cfg_q);
  always_ff @(posedge clk_i) begin
    if (beat && header) fetched_q <= {beat_i, fetched_q[hotnas_pkg::FetchedBits-1:Beat]};
    if (!hold_i) cfg_q <= fetched_q;
  end

  if (hotnas_pkg::MapWords == 0) begin : gen_one
    assign load_cfg_o = cfg_o;
    logic unused_take;
    assign unused_take = take_i;
  end else begin : gen_own
    logic [hotnas_pkg::FetchedBits-1:0] load_cfg_q;
    assign load_cfg_o = hotnas_pkg::HeaderBits'(load_cfg_q);
    always_ff @(posedge clk_i) if (!hold_i || take_i) load_cfg_q <= fetched_q;
  end

endmodule
