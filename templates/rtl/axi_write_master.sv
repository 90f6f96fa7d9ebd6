// Writes runs over AXI4 from a stream of beats. A burst's data is offered one cycle after its address,
// whether or not that was taken: a slave may wait for either before it takes the other. idle_o tells that
// every write was answered.
module axi_write_master #(
  parameter int unsigned DataBits = 128
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                drain_i,      // write nothing new, fill up what was begun
  // runs to write
  input  logic                run_valid_i,
  output logic                run_ready_o,
  input  logic [63:0]         run_addr_i,
  input  logic [31:0]         run_beats_i,
  // their beats
  input  logic                beat_valid_i,
  output logic                beat_ready_o,
  input  logic [DataBits-1:0] beat_i,
  output logic                idle_o,
  output logic                error_o,   // pulse: a burst was answered with SLVERR or DECERR
  output logic                held_o,    // a beat is on offer and not taken
  output logic                beat_done_o, // a beat moves in this cycle
  output logic                stall_o,   // a beat or an address waits for the memory
  // AXI4 write channels
  output logic                awvalid_o,
  input  logic                awready_i,
  output logic [63:0]         awaddr_o,
  output logic [7:0]          awlen_o,
  output logic                wvalid_o,
  input  logic                wready_i,
  output logic [DataBits-1:0] wdata_o,
  output logic                wlast_o,
  input  logic                bvalid_i,
  output logic                bready_o,
  input  logic [1:0]          bresp_i
);

  localparam int unsigned CountBits = $clog2(hotnas_pkg::Outstanding + 1);

  logic [CountBits-1:0] in_flight_q;
  logic                 room_q;  // for another one
  logic                 offered_q, sent, answered, splitter_idle, fifo_ready, burst_valid;
  logic [7:0]           burst_len, beat_q;

  burst_splitter #(.DataBits(DataBits)) u_splitter (
    .clk_i,
    .rst_ni,
    .drain_i,
    .run_valid_i,
    .run_ready_o,
    .run_addr_i,
    .run_beats_i,
    .enable_i (room_q),
    .valid_o  (awvalid_o),
    .ready_i  (awready_i),
    .addr_o   (awaddr_o),
    .len_o    (awlen_o),
    .idle_o   (splitter_idle)
  );

  // Bursts whose address was offered and whose data is not out: those in flight and one more at most, and
  // no address is offered while Outstanding of them are in flight.
  stream_fifo #(.Width(8), .Depth(hotnas_pkg::Outstanding)) u_bursts (
    .clk_i,
    .rst_ni,
    .valid_i (awvalid_o && !offered_q),
    .ready_o (fifo_ready),
    .data_i  (awlen_o),
    .valid_o (burst_valid),
    .ready_i (beat_done_o && wlast_o),
    .data_o  (burst_len)
  );

  assign sent         = awvalid_o && awready_i;
  assign answered     = bvalid_i && bready_o;
  assign bready_o     = 1'b1;
  assign wvalid_o     = (beat_valid_i || drain_i) && burst_valid;
  assign wdata_o      = drain_i ? '0 : beat_i;
  assign wlast_o      = beat_q == burst_len;
  assign beat_done_o  = wvalid_o && wready_i;
  assign held_o       = wvalid_o && !wready_i;
  assign stall_o      = held_o || (awvalid_o && !awready_i);
  assign beat_ready_o = wready_i && burst_valid && !drain_i;
  assign idle_o       = splitter_idle && (in_flight_q == '0);
  assign error_o      = answered && bresp_i[1];

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      in_flight_q <= '0;
      room_q      <= 1'b1;
      offered_q   <= 1'b0;
      beat_q      <= '0;
    end else begin
      offered_q   <= awvalid_o && !awready_i;
      if (sent != answered) begin
        in_flight_q <= sent ? in_flight_q + 1'b1 : in_flight_q - 1'b1;
        room_q      <= answered || in_flight_q != CountBits'(hotnas_pkg::Outstanding - 1);
      end
      if (beat_done_o) beat_q <= wlast_o ? '0 : beat_q + 1'b1;
    end
  end

  logic unused;
  assign unused = fifo_ready ^ bresp_i[0];

endmodule
