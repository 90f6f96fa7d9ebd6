// Reads runs that are striped over several AXI4 masters and hands on their beats joined, the first master's
// lowest. In memory a page of each master follows one of the others: a burst, which crosses no page, lies in
// one of them. All masters cut a run into the same bursts; a beat waits in registers for those of the others,
// at least a cycle.
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
  localparam int unsigned Held  = 2;  // beats of a master that wait for the others

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
    logic [DataBits:0] held_q [Held];  // the oldest first
    logic              any_q, full_q, put, get;

    assign ready         = !full_q;
    assign put           = valid && ready;
    assign get           = beat_valid_o && beat_ready_i;
    assign drained[m]    = taken && drain_i;
    assign part_valid[m] = any_q;
    assign part_next[m]  = put != get ? put || full_q : any_q;
    assign {part_error[m], beat_o[m*DataBits +: DataBits]} = held_q[0];

    always_ff @(posedge clk_i) begin
      any_q <= rst_ni && !drain_i && part_next[m];
      if (!rst_ni || drain_i) begin
        full_q <= 1'b0;
      end else if (put != get) begin
        full_q <= put && any_q;
      end
    end
    always_ff @(posedge clk_i) begin
      if (put) held_q[1] <= {error[m], data};
      if (get || !any_q) held_q[0] <= full_q ? held_q[1] : {error[m], data};
    end

    logic unused_addr;
    assign unused_addr = ^addr[63:64-Shift];
  end

endmodule
