// Where all reads share one port: takes the runs of load_wgt, load_ifm and the residual in one fixed
// order, and hands each beat to the process that asked for it. The order follows from the layer alone,
// so its timing does too:
//   a weight job;
//   then one input slice of this or the next tile, while there is room for it (not behind a later
//   tile's first job: its half is not free yet), or all that is left of the next tile behind the
//   tile's last job;
//   then the residual of the output tile that was complete one job ago.
module read_order (
  input  logic          clk_i,
  input  logic          rst_ni,
  input  logic          start_i,           // pulse: begin the layer in cfg_i
  input  logic [hotnas_pkg::HeaderBits-1:0] cfg_i,             // hotnas_pkg::descriptor_t
  input  logic          fetching_i,        // the sequencer reads a descriptor through load_wgt's runs
  // runs wanted
  input  logic          wgt_run_valid_i,
  output logic          wgt_run_ready_o,
  input  logic [63:0]   wgt_run_addr_i,
  input  logic [31:0]   wgt_run_beats_i,
  input  logic          ifm_run_valid_i,
  output logic          ifm_run_ready_o,
  input  logic [63:0]   ifm_run_addr_i,
  input  logic [31:0]   ifm_run_beats_i,
  input  logic          ifm_slice_last_i,  // the run offered is the last one of its input slice
  input  logic          res_run_valid_i,
  output logic          res_run_ready_o,
  input  logic [63:0]   res_run_addr_i,
  input  logic [31:0]   res_run_beats_i,
  input  logic          res_last_i,        // the run offered is the last one of its output tile
  // the port
  output logic          run_valid_o,
  input  logic          run_ready_i,
  output logic [63:0]   run_addr_o,
  output logic [31:0]   run_beats_o,
  input  logic          beat_valid_i,
  output logic          beat_ready_o,
  // whose beat it is
  output logic          wgt_beat_valid_o,
  input  logic          wgt_beat_ready_i,
  output logic          ifm_beat_valid_o,
  input  logic          ifm_beat_ready_i,
  output logic          res_beat_valid_o,
  input  logic          res_beat_ready_i
);

  localparam logic [1:0] Wgt = 2'd0, Ifm = 2'd1, Res = 2'd2, Nobody = 2'd3;

  hotnas_pkg::descriptor_t cfg;
  assign cfg = cfg_i;

  // ---------------------------------------------------------------- whose turn it is
  logic [1:0]  turn_q, turn, after_slices;
  logic        run_taken, job_taken, slice_taken, residual_taken;
  logic        last_tile_job, last_output_job, last_tile, last_job;
  logic        first_tile_q, first_tile_job_q, output_done_q, last_job_q;
  logic [16:0] ahead_q, room, slices_left_q, slices;  // slices asked for since the tile's first
  logic [1:0]  residuals_left_q, residuals;

  job_walker u_jobs (
    .clk_i, .start_i, .cfg_i,
    .next_i            (job_taken),
    .first_o           (),
    .last_m_o          (),
    .last_k_o          (),
    .last_output_job_o (last_output_job),
    .last_tile_job_o   (last_tile_job),
    .last_tile_o       (last_tile),
    .last_o            (last_job)
  );

  assign turn           = fetching_i ? Wgt : turn_q;
  assign run_taken      = run_valid_o && run_ready_i;
  assign job_taken      = run_taken && (turn == Wgt) && !fetching_i;
  assign slice_taken    = run_taken && (turn == Ifm) && ifm_slice_last_i;
  assign residual_taken = run_taken && (turn == Res) && res_last_i;

  // What follows the job that is taken now.
  assign room      = (last_tile ? {1'b0, cfg.slices} : {cfg.slices, 1'b0}) - ahead_q;
  assign residuals = cfg.has_residual ? 2'(output_done_q) + 2'(last_job) : 2'd0;
  always_comb begin
    if (last_tile_job) slices = room;
    else if (first_tile_q || !first_tile_job_q) slices = 17'(room != '0);
    else slices = '0;
  end
  assign after_slices = (residuals_left_q != '0) ? Res : last_job_q ? Nobody : Wgt;

  always_ff @(posedge clk_i) begin
    if (!rst_ni || start_i) begin
      turn_q           <= start_i ? Wgt : Nobody;
      first_tile_q     <= 1'b1;
      first_tile_job_q <= 1'b1;
      output_done_q    <= 1'b0;
      last_job_q       <= 1'b0;
      ahead_q          <= '0;
      slices_left_q    <= '0;
      residuals_left_q <= '0;
    end else if (job_taken) begin
      if (slices != '0) turn_q <= Ifm;
      else if (residuals != '0) turn_q <= Res;
      else turn_q <= last_job ? Nobody : Wgt;
      slices_left_q    <= slices;
      residuals_left_q <= residuals;
      ahead_q          <= ahead_q + slices - (last_tile_job ? {1'b0, cfg.slices} : '0);
      first_tile_q     <= first_tile_q && !last_tile_job;
      first_tile_job_q <= last_tile_job;
      output_done_q    <= last_output_job;
      last_job_q       <= last_job;
    end else if (slice_taken) begin
      slices_left_q <= slices_left_q - 17'd1;
      if (slices_left_q == 17'd1) turn_q <= after_slices;
    end else if (residual_taken) begin
      residuals_left_q <= residuals_left_q - 2'd1;
      if (residuals_left_q == 2'd1) turn_q <= last_job_q ? Nobody : Wgt;
    end
  end

  // ---------------------------------------------------------------- runs to the port
  logic owner_ready, wanted;
  always_comb begin
    wanted      = 1'b0;
    run_addr_o  = wgt_run_addr_i;
    run_beats_o = wgt_run_beats_i;
    unique case (turn)
      Wgt: wanted = wgt_run_valid_i;
      Ifm: begin
        wanted      = ifm_run_valid_i;
        run_addr_o  = ifm_run_addr_i;
        run_beats_o = ifm_run_beats_i;
      end
      Res: begin
        wanted      = res_run_valid_i;
        run_addr_o  = res_run_addr_i;
        run_beats_o = res_run_beats_i;
      end
      default: wanted = 1'b0;
    endcase
  end
  assign run_valid_o     = wanted && owner_ready;
  assign wgt_run_ready_o = (turn == Wgt) && run_ready_i && owner_ready;
  assign ifm_run_ready_o = (turn == Ifm) && run_ready_i && owner_ready;
  assign res_run_ready_o = (turn == Res) && run_ready_i && owner_ready;

  // ---------------------------------------------------------------- beats from the port
  logic        owner_valid, owner_done, beat_taken;
  logic [1:0]  owner;
  logic [31:0] owner_beats, beat_q;

  stream_fifo #(.Width(34), .Depth(hotnas_pkg::Outstanding)) u_owners (
    .clk_i,
    .rst_ni,
    .valid_i (run_taken),
    .ready_o (owner_ready),
    .data_i  ({turn, run_beats_o}),
    .valid_o (owner_valid),
    .ready_i (owner_done),
    .data_o  ({owner, owner_beats})
  );

  assign wgt_beat_valid_o = beat_valid_i && owner_valid && (owner == Wgt);
  assign ifm_beat_valid_o = beat_valid_i && owner_valid && (owner == Ifm);
  assign res_beat_valid_o = beat_valid_i && owner_valid && (owner == Res);
  assign beat_ready_o     = owner_valid && ((owner == Wgt) ? wgt_beat_ready_i
                                            : (owner == Ifm) ? ifm_beat_ready_i : res_beat_ready_i);
  assign beat_taken       = beat_valid_i && beat_ready_o;
  assign owner_done       = beat_taken && (beat_q == owner_beats - 32'd1);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) beat_q <= '0;
    else if (beat_taken) beat_q <= owner_done ? '0 : beat_q + 32'd1;
  end

  logic unused;
  assign unused = ^cfg;

endmodule
