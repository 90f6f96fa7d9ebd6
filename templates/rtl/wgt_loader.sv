// load_wgt: streams the layer's weight jobs, one per compute step, into two slots of the weight
// memories. Weights arrive as bit planes, most significant bit first: a group of `weight_bits` planes
// holds one weight per lane, so unpacking any width is one shift register per lane.
// The first job is loaded at once, the others when the layer begins: one that is still in work may need its
// slots. A job in DRAM is asked for while its slot is still in use, and waits in the port for that; one on chip,
// or on a shared bus, when its slot is free.
// A job is [bias, for the first job of an output tile][pattern indices, if pruned][weights].
module wgt_loader (
  input  logic         clk_i,
  input  logic         rst_ni,
  input  logic         idle_i,      // no run is in work: both slots are empty
  input  logic         start_i,     // pulse: load the first job of the layer in cfg_i
  input  logic         begin_i,     // pulse: the layer begins, now or later
  input  logic [hotnas_pkg::HeaderBits-1:0] cfg_i,      // hotnas_pkg::descriptor_t
  input  logic [63:0]  base_i,      // byte address of `wgt`
  input  logic         release_i,   // pulse: compute is done with the oldest slot
  output logic         job_in_o,    // pulse: the last plane of a job is taken
  output logic         tile_in_o,   // pulse: it is the last one of a tile
  output logic         job_done_o,  // pulse: one more job is in its slot
  output logic         all_in_o,    // every job of the layer is
  output logic         busy_o,      // a job that has a slot is being loaded
  // runs of planes, in DRAM or on chip
  output logic         run_valid_o,
  input  logic         run_ready_i,
  output logic [63:0]  run_addr_o,
  output logic [31:0]  run_planes_o,
  input  logic         plane_valid_i,
  output logic         plane_ready_o,
  input  logic [hotnas_pkg::PlaneBits-1:0] plane_i,
  // weight memory write port
  output logic         slot_o,
  output logic         bias_we_o,
  output logic [15:0]  bias_beat_o,
  output logic [hotnas_pkg::PlaneBits-1:0] bias_o,
  output logic         pattern_we_o,
  output logic         weight_we_o,
  output logic [15:0]  group_o,
  output logic [7:0]   entry_o,
  output logic [hotnas_pkg::PlaneBits*hotnas_pkg::WgtBits-1:0] lanes_o
);

  localparam int unsigned Lanes = hotnas_pkg::PlaneBits;
  localparam int unsigned Bits  = hotnas_pkg::WgtBits;
  // Counts are as wide as a slot needs: their products stay small.
  localparam int unsigned Groups      =
      (hotnas_pkg::Tm + hotnas_pkg::RowsPerGroup - 1) / hotnas_pkg::RowsPerGroup * hotnas_pkg::PartsPerRow;
  localparam int unsigned GroupPlanes = hotnas_pkg::WgtEntries * Bits + hotnas_pkg::PatternBits;
  localparam int unsigned GroupBits   = $clog2(Groups + 1);
  localparam int unsigned EntryBits   = $clog2(GroupPlanes + 1);
  localparam int unsigned JobBits     = $clog2(hotnas_pkg::BiasBeats + Groups * GroupPlanes + 1);

  hotnas_pkg::descriptor_t cfg;
  assign cfg = cfg_i;

  // ---------------------------------------------------------------- which job: (tile, m, n, k)
  // Requests and reception walk the same jobs, each at its own pace.
  typedef enum logic [2:0] {Idle, Planes, Size, Request} request_e;
  request_e state_q;
  logic ask_first, ask_last_m, ask_last_k, ask_last_tile_job, ask_last, ask_next;
  logic got_first, got_last_m, got_last_k, got_last_tile_job, got_last, got_next;

  job_walker u_ask (
    .clk_i, .start_i, .cfg_i,
    .next_i          (state_q == Size),  // what is asked for is known: go on, whenever it is
    .first_o         (ask_first),
    .last_m_o        (ask_last_m),
    .last_k_o        (ask_last_k),
    .last_output_job_o (),
    .last_tile_job_o (ask_last_tile_job),
    .last_tile_o     (),
    .last_o          (ask_last)
  );

  job_walker u_got (
    .clk_i, .start_i, .cfg_i,
    .next_i          (got_next),
    .first_o         (got_first),
    .last_m_o        (got_last_m),
    .last_k_o        (got_last_k),
    .last_output_job_o (),
    .last_tile_job_o (got_last_tile_job),
    .last_tile_o     (),
    .last_o          (got_last)
  );

  // ---------------------------------------------------------------- requests: one run per job
  logic        begun_q, ask_final_q, ask_final_tile_q;  // the job asked for is the last one of the layer, of a tile
  logic [1:0]  askable_q;  // jobs that may be asked for, one of them ahead of its slot
  logic        may_ask;
  logic        started_q;           // a layer's first job waits until it may be asked for
  logic        asks_q, ask_next_q;  // a run is asked for; it was taken a cycle ago
  logic [63:0] addr_q;
  logic [EntryBits-1:0] planes_q;    // of a group
  logic [JobBits-1:0]   run_planes_q;

  logic [63:0] first_addr;  // of the layer's weights
  assign first_addr  = (hotnas_pkg::WeightPlanes != 0 && cfg.wgt_on_chip) ? 64'(cfg.wgt_chip)
                                                                       : base_i + 64'(cfg.wgt_addr);
  assign run_valid_o = asks_q;
  assign run_addr_o  = addr_q;
  assign run_planes_o = 32'(run_planes_q);
  assign ask_next    = run_valid_o && run_ready_i;
  assign may_ask     = askable_q[1] || (askable_q[0] && begun_q && !cfg.wgt_on_chip && (hotnas_pkg::SharedBus == 0));

  always_ff @(posedge clk_i) begin
    ask_next_q <= ask_next && rst_ni && !idle_i;
    if (!rst_ni || idle_i) begin
      state_q      <= Idle;
      started_q    <= 1'b0;
      asks_q       <= 1'b0;
      begun_q      <= 1'b0;
      askable_q    <= 2'd3;
      addr_q       <= '0;
    end else begin
      asks_q  <= (state_q == Size) || (asks_q && !run_ready_i);
      if (ask_next_q)
        addr_q <= ask_final_tile_q ? first_addr : addr_q + 64'(run_planes_q) * 64'(hotnas_pkg::PlaneBits / 8);
      // That a layer starts, or begins, is known late in a cycle: either ends at one register.
      begun_q   <= begin_i || (begun_q && !start_i);
      started_q <= start_i || (started_q && !may_ask);
      askable_q <= askable_q - 2'(ask_next) + 2'(release_i);
      unique case (state_q)
        Idle: begin
          if (started_q && may_ask) state_q <= Planes;
          addr_q <= first_addr;
        end
        Planes: state_q <= Size;
        Size: begin
          state_q          <= Request;
          ask_final_q      <= ask_last;
          ask_final_tile_q <= ask_last_tile_job;
        end
        // Goes on a cycle after the run was taken: whether a port takes it is known late in its cycle.
        Request: if (!asks_q) begin
          if (ask_final_q) state_q <= Idle;
          else if (begun_q && may_ask) state_q <= Planes;
        end
        default: state_q <= Idle;
      endcase
    end
  end

  // planes = bias + groups x (2 x pruned + entries x weight_bits), the product taken in two cycles. What follows
  // from the job alone is there a cycle after it.
  logic [GroupBits-1:0] ask_groups_q;
  logic [EntryBits-1:0] ask_entries_q;
  always_ff @(posedge clk_i) begin
    ask_groups_q  <= GroupBits'(ask_last_m ? cfg.groups_last : cfg.groups);
    ask_entries_q <= EntryBits'(ask_last_k ? cfg.entries_last : cfg.entries);
    if (state_q == Planes)
      planes_q <= ask_entries_q * EntryBits'(cfg.weight_bits)
                  + (cfg.pruned ? EntryBits'(hotnas_pkg::PatternBits) : '0);
    if (state_q == Size)
      run_planes_q <= (ask_first ? JobBits'(hotnas_pkg::BiasBeats) : '0) + JobBits'(ask_groups_q) * JobBits'(planes_q);
  end

  // ---------------------------------------------------------------- reception: sections of a job
  typedef enum logic [1:0] {Bias, Patterns, Weights} section_e;
  section_e    section_q, section;
  logic        active_q, fresh_q, slot_q;
  logic [1:0]  slots_free_q;
  logic        slot_free_q;  // one is: what waits for it reaches the ports
  logic [15:0] bias_beat_q;
  logic [GroupBits-1:0] group_q;
  logic [7:0]  entry_q, bit_q;
  logic        accept, bias_end, group_end, entry_end, section_end, no_weights_q, job_done;
  logic [GroupBits-1:0] groups_end_q;  // last group of an entry
  logic [7:0]  entries_end_q;   // last entry of the job
  logic [7:0]  bits_end_q;      // last bit of a weight

  // A job's first section follows from the job itself; later ones from section_q.
  always_comb begin
    section = section_q;
    if (fresh_q) section = got_first ? Bias : (cfg.pruned ? Patterns : Weights);
  end
  // Where sections and groups end is known by a job's second plane; none ends in its first but the bias.
  always_ff @(posedge clk_i) begin
    groups_end_q  <= GroupBits'((got_last_m ? cfg.groups_last : cfg.groups) - 16'd1);
    entries_end_q <= 8'((got_last_k ? cfg.entries_last : cfg.entries) - 9'd1);
    bits_end_q    <= cfg.weight_bits - 8'd1;
    no_weights_q  <= cfg.groups == '0;
  end
  assign plane_ready_o = active_q && slot_free_q;
  assign accept      = plane_valid_i && plane_ready_o;
  assign bias_end    = (section == Bias) && (bias_beat_q == 16'(hotnas_pkg::BiasBeats - 1));
  assign group_end   = (section == Patterns) ? (bit_q == 8'(hotnas_pkg::PatternBits - 1))
                                             : (section == Weights) && (bit_q == bits_end_q);
  assign entry_end   = group_end && (group_q == groups_end_q);
  assign section_end = bias_end || (entry_end && (section == Patterns || entry_q == entries_end_q));
  assign job_done    = accept && section_end && (section == Weights || (section == Bias && no_weights_q));
  assign got_next    = job_done;
  assign job_in_o    = job_done;
  assign tile_in_o   = job_done && got_last_tile_job;
  assign all_in_o    = !active_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni || idle_i) active_q <= 1'b0;
    else if (start_i) active_q <= 1'b1;
    else if (job_done && got_last) active_q <= 1'b0;
  end

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      fresh_q     <= 1'b1;
      section_q   <= Bias;
      bias_beat_q <= '0;
      group_q     <= '0;
      entry_q     <= '0;
      bit_q       <= '0;
    end else if (accept) begin
      fresh_q <= job_done;
      if (section_end) section_q <= (section == Bias && cfg.pruned) ? Patterns : Weights;
      else section_q <= section;
      bias_beat_q <= (section == Bias && !bias_end) ? bias_beat_q + 1'b1 : '0;
      bit_q       <= (section == Bias || group_end) ? '0 : bit_q + 1'b1;
      if (group_end) group_q <= entry_end ? '0 : group_q + 1'b1;
      if (entry_end) entry_q <= section_end ? '0 : entry_q + 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni || idle_i) begin
      slot_q       <= 1'b0;
      slots_free_q <= 2'd2;
    end else begin
      slot_q       <= slot_q ^ job_done;
      slots_free_q <= slots_free_q - 2'(job_done) + 2'(release_i);
    end
    // Needs no reset: nothing comes in the cycle after it.
    slot_free_q <= release_i || slots_free_q[1] || (slots_free_q[0] && !job_done);
  end

  // A plane is taken into registers, then into all lanes: what takes it reaches far. The array reads a job
  // cycles after its token.
  logic [Lanes-1:0]     plane_q;
  logic                 taken_q, first_bit_q, plane_slot_q, plane_bias_q, plane_pattern_q, plane_weight_q;
  logic [15:0]          plane_beat_q;
  logic [GroupBits-1:0] plane_group_q;
  logic [7:0]           plane_entry_q;
  always_ff @(posedge clk_i) begin
    plane_q         <= plane_i;
    taken_q         <= accept;
    first_bit_q     <= bit_q == '0;
    plane_slot_q    <= slot_q;
    plane_bias_q    <= accept && (section == Bias);
    plane_pattern_q <= accept && group_end && (section == Patterns);
    plane_weight_q  <= accept && group_end && (section == Weights);
    plane_beat_q    <= bias_beat_q;
    plane_group_q   <= group_q;
    plane_entry_q   <= entry_q;
    job_done_o      <= job_done && rst_ni;
  end

  // One shift register per lane. A weight's first bit is its sign; of a pattern's index two bits are read.
  for (genvar lane = 0; lane < Lanes; lane++) begin : gen_lane
    logic [Bits-1:0] lane_q;
    always_ff @(posedge clk_i) begin
      if (taken_q) begin
        lane_q <= first_bit_q ? {Bits{plane_q[lane]}} : {lane_q[Bits-2:0], plane_q[lane]};
      end
    end
    assign lanes_o[lane*Bits +: Bits] = lane_q;
  end

  always_ff @(posedge clk_i) begin
    slot_o       <= plane_slot_q;
    bias_we_o    <= plane_bias_q;
    bias_beat_o  <= plane_beat_q;
    bias_o       <= plane_q;
    pattern_we_o <= plane_pattern_q;
    weight_we_o  <= plane_weight_q;
    group_o      <= 16'(plane_group_q);
    entry_o      <= plane_entry_q;
  end

  // Jobs asked for and not yet received, from registers.
  logic [1:0] asked, asked_q;
  assign asked = asked_q + 2'(ask_next_q) - 2'(job_done_o);
  always_ff @(posedge clk_i) begin
    asked_q <= (rst_ni && !idle_i) ? asked : '0;
  end

  assign busy_o = ((state_q == Planes) || (state_q == Size) || run_valid_o || (asked != '0)) && slot_free_q;

  logic unused;
  assign unused = ^cfg;

endmodule
