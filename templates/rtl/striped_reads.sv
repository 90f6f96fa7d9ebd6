// Reads runs that are striped over several AXI4 masters and hands on their beats joined, the first master's
// lowest. In memory a page of each master follows one of the others: a burst, which crosses no page, lies in
// one of them. All masters cut a run into the same bursts; a beat that comes before those of the others waits
// for them.
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

  logic [Masters-1:0] run_ready, part_valid, part_error, error, idle, stall, drained;

  assign run_ready_o  = &run_ready;
  assign beat_valid_o = &part_valid;
  assign error_o      = (beat_valid_o && beat_ready_i && |part_error) || (drain_i && |error);
  assign idle_o       = &idle;
  assign beat_done_o  = |drained || (beat_valid_o && beat_ready_i && !drain_i);
  assign stall_o      = beat_ready_i && !beat_valid_o && |(stall & ~part_valid);

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

    // Ready is a register's, so that no master's RREADY follows another one's RVALID within a cycle. A beat
    // goes past the registers while they are empty.
    logic [DataBits:0] held_q [Held];
    logic [1:0]        count_q;
    logic              any_q;      // of its own, for the choice of data reaches far
    logic              put, get;

    assign ready         = count_q != 2'(Held);
    assign put           = valid && ready;
    assign drained[m]    = taken && drain_i;
    assign get           = beat_valid_o && beat_ready_i;
    assign part_valid[m] = any_q || valid;
    assign {part_error[m], beat_o[m*DataBits +: DataBits]} = count_q != '0 ? held_q[0] : {error[m], data};

    always_ff @(posedge clk_i) begin
      if (!rst_ni || drain_i) begin
        count_q <= '0;
        any_q   <= 1'b0;
      end else begin
        count_q <= count_q + 2'(put) - 2'(get);
        if (put != get) any_q <= put || count_q == 2'(Held);
      end
    end
    always_ff @(posedge clk_i) begin
      if (get) held_q[0] <= held_q[1];
      if (put && (count_q == 2'(get))) held_q[0] <= {error[m], data};
      if (put && (count_q != 2'(get))) held_q[1] <= {error[m], data};
    end

    logic unused_addr;
    assign unused_addr = ^addr[63:64-Shift];
  end

endmodule
