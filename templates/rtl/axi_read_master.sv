// Reads runs over AXI4 and hands their beats on in order. Up to hotnas_pkg::Outstanding bursts are in
// flight, so that any read latency below that is hidden behind earlier beats.
module axi_read_master #(
  parameter int unsigned DataBits = 128
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                drain_i,      // ask for nothing new, take what was asked for and drop it
  // runs to read
  input  logic                run_valid_i,
  output logic                run_ready_o,
  input  logic [63:0]         run_addr_i,
  input  logic [31:0]         run_beats_i,
  // beats read
  output logic                beat_valid_o,
  input  logic                beat_ready_i,
  output logic [DataBits-1:0] beat_o,
  output logic                error_o,   // pulse: the beat came with SLVERR or DECERR
  output logic                idle_o,    // all that was asked for has come
  output logic                beat_done_o, // a beat moves in this cycle
  output logic                stall_o,   // one was asked for and is wanted, and there is none
  // AXI4 read channels
  output logic                arvalid_o,
  input  logic                arready_i,
  output logic [63:0]         araddr_o,
  output logic [7:0]          arlen_o,
  input  logic                rvalid_i,
  output logic                rready_o,
  input  logic [DataBits-1:0] rdata_i,
  input  logic [1:0]          rresp_i,
  input  logic                rlast_i
);

  localparam int unsigned CountBits = $clog2(hotnas_pkg::Outstanding + 1);

  logic [CountBits-1:0] in_flight_q;
  logic                 room_q;  // for another one
  logic                 sent, finished, splitter_idle;

  burst_splitter #(.DataBits(DataBits)) u_splitter (
    .clk_i,
    .rst_ni,
    .drain_i,
    .run_valid_i,
    .run_ready_o,
    .run_addr_i,
    .run_beats_i,
    .enable_i (room_q),
    .valid_o  (arvalid_o),
    .ready_i  (arready_i),
    .addr_o   (araddr_o),
    .len_o    (arlen_o),
    .idle_o   (splitter_idle)
  );

  logic unused;
  assign unused = rresp_i[0];  // SLVERR and DECERR alike are an error

  assign sent         = arvalid_o && arready_i;
  assign finished     = rvalid_i && rready_o && rlast_i;
  assign beat_valid_o = rvalid_i;
  assign rready_o     = beat_ready_i || drain_i;
  assign beat_o       = rdata_i;
  assign error_o      = rvalid_i && rready_o && rresp_i[1];
  assign idle_o       = splitter_idle && (in_flight_q == '0);
  assign beat_done_o  = rvalid_i && rready_o;
  assign stall_o      = beat_ready_i && !rvalid_i && (arvalid_o || (in_flight_q != '0));

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      in_flight_q <= '0;
      room_q      <= 1'b1;
    end else if (sent != finished) begin
      in_flight_q <= sent ? in_flight_q + 1'b1 : in_flight_q - 1'b1;
      room_q      <= finished || in_flight_q != CountBits'(hotnas_pkg::Outstanding - 1);
    end
  end

endmodule
