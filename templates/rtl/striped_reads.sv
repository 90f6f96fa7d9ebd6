// Reads runs that are striped over several AXI4 masters and hands on their beats joined, the first master's
// lowest. In memory a page of each master follows one of the others: a burst, which crosses no page, lies in
// one of them. All masters cut a run into the same bursts; a beat waits for those of the others, at least a
// cycle. A DRAM answers them in turns, so that one may be some beats ahead.
module striped_reads #(
  parameter int unsigned DataBits = 128,  // of a master
  parameter int unsigned Masters  = 2     // power of two
) (
  input  logic                        clk_i,
  input  logic                        rst_ni,
  input  logic                        drain_i,      // ask for nothing new, take what was asked for and drop it
  // runs to read: the bytes and the beats of all masters
  input  logic                        run_valid_i,
  output logic                        run_ready_o,
  input  logic [63:0]                 run_addr_i,
  input  logic [31:0]                 run_beats_i,
  // beats read
  output logic                        beat_valid_o,
  input  logic                        beat_ready_i,
  output logic [Masters*DataBits-1:0] beat_o,
  output logic                        error_o,      // pulse: a part of the beat came with SLVERR or DECERR
  output logic                        idle_o,       // all that was asked for has come
  output logic                        beat_done_o,  // a beat moves in this cycle
  output logic                        stall_o,      // one was asked for and is wanted, and there is none
  // AXI4 read channels
  output logic [Masters-1:0]          arvalid_o,
  input  logic [Masters-1:0]          arready_i,
  output logic [Masters*64-1:0]       araddr_o,
  output logic [Masters*8-1:0]        arlen_o,
  input  logic [Masters-1:0]          rvalid_i,
  output logic [Masters-1:0]          rready_o,
  input  logic [Masters*DataBits-1:0] rdata_i,
  input  logic [Masters*2-1:0]        rresp_i,
  input  logic [Masters-1:0]          rlast_i
);

  localparam int unsigned Shift = $clog2(Masters);
  localparam int unsigned Queue = 32;  // beats of a master behind the one that is joined next; a power of two

  logic [Masters-1:0] run_ready, part_valid, part_next, part_error, error, idle, stall, drained;
  logic               there_q;  // a beat of each

  assign run_ready_o  = &run_ready;
  assign beat_valid_o = there_q;
  assign error_o      = (beat_valid_o && beat_ready_i && |part_error) || (drain_i && |error);
  assign idle_o       = &idle;
  assign beat_done_o  = |drained || (beat_valid_o && beat_ready_i && !drain_i);
  assign stall_o      = beat_ready_i && !beat_valid_o && |(stall & ~part_valid);

  always_ff @(posedge clk_i) there_q <= rst_ni && !drain_i && (part_next == '1);

  for (genvar m = 0; m < Masters; m++) begin : gen_master
    logic                run_valid, valid, ready, taken;
    logic [63:0]         addr;
    logic [DataBits-1:0] data;

    // The run is taken by all in one cycle. Its address counts the bytes of one master.
    always_comb begin
      run_valid = run_valid_i;
      for (int other = 0; other < Masters; other++)
        if (other != m) run_valid = run_valid && run_ready[other];
    end
    assign araddr_o[m*64 +: 64] = {addr[63-Shift:12], Shift'(m), addr[11:0]};

    axi_read_master #(.DataBits(DataBits)) u_reads (
      .clk_i,
      .rst_ni,
      .drain_i,
      .run_valid_i  (run_valid),
      .run_ready_o  (run_ready[m]),
      .run_addr_i   (run_addr_i >> Shift),
      .run_beats_i,
      .beat_valid_o (valid),
      .beat_ready_i (ready),
      .beat_o       (data),
      .error_o      (error[m]),
      .idle_o       (idle[m]),
      .beat_done_o  (taken),
      .stall_o      (stall[m]),
      .arvalid_o    (arvalid_o[m]),
      .arready_i    (arready_i[m]),
      .araddr_o     (addr),
      .arlen_o      (arlen_o[m*8 +: 8]),
      .rvalid_i     (rvalid_i[m]),
      .rready_o     (rready_o[m]),
      .rdata_i      (rdata_i[m*DataBits +: DataBits]),
      .rresp_i      (rresp_i[m*2 +: 2]),
      .rlast_i      (rlast_i[m])
    );

    // Neither RVALID nor RREADY of a master reaches further than these registers.
    logic [DataBits:0]          first_q;        // the oldest; the others lie in the queue
    logic [DataBits:0]          queue [Queue];
    logic [$clog2(Queue)-1:0]   head_q, tail_q;
    logic [$clog2(Queue+1)-1:0] queued_q;
    logic                       any_q, more_q, full_q, put, get, moves, queues, leaves;

    assign ready         = !full_q;
    assign put           = valid && ready;
    assign get           = beat_valid_o && beat_ready_i;
    assign moves         = get || !any_q;  // the next one becomes the oldest
    assign queues        = put && (more_q || !moves);
    assign leaves        = moves && more_q;
    assign drained[m]    = taken && drain_i;
    assign part_valid[m] = any_q;
    assign part_next[m]  = !moves || more_q || put;
    assign {part_error[m], beat_o[m*DataBits +: DataBits]} = first_q;

    always_ff @(posedge clk_i) begin
      any_q <= rst_ni && !drain_i && part_next[m];
      if (!rst_ni || drain_i) begin
        {more_q, full_q} <= '0;
        {head_q, tail_q} <= '0;
        queued_q         <= '0;
      end else begin
        if (queues) head_q <= head_q + 1'b1;
        if (leaves) tail_q <= tail_q + 1'b1;
        if (queues != leaves) begin
          queued_q <= queues ? queued_q + 1'b1 : queued_q - 1'b1;
          more_q   <= queues || queued_q != ($clog2(Queue+1))'(1);
          full_q   <= queues && queued_q == ($clog2(Queue+1))'(Queue - 1);
        end
      end
    end
    always_ff @(posedge clk_i) begin
      if (queues) queue[head_q] <= {error[m], data};
      if (moves) first_q <= more_q ? queue[tail_q] : {error[m], data};
    end

    logic unused_addr;
    assign unused_addr = ^addr[63:64-Shift];
  end

endmodule
