// Properties of axi_read_master: addresses stay until they are taken and keep to AXI, no more bursts are in flight than
// may be, every beat is handed on once, unless it is drained.
//: depth 3
//: search 10
//: with burst_splitter
//: set DataBits 128
//: constant Outstanding 3
//: mutant address_stays
//:   .enable_i (room_q),
//:   .enable_i (room_q && !rvalid_i),
//: mutant never_more_in_flight
//:   assign sent         = arvalid_o && arready_i;
//:   assign sent         = arvalid_o && arready_i && !rvalid_i;
//: mutant every_beat_once
//:   assign rready_o     = beat_ready_i || drain_i;
//:   assign rready_o     = 1'b1;
//: mutant within_a_page
//:   .run_addr_i,
//:   .run_addr_i (run_addr_i + 64'd8),

  logic        waits_q;
  logic [63:0] waiting_addr_q;
  logic [7:0]  waiting_len_q;
  logic [7:0]  asked_q;  // bursts asked for and not read
  logic        drains_q = 1'b0;

  always_comb begin
    if (run_valid_i) assume (run_beats_i != '0 && run_beats_i[31:30] == '0 && run_addr_i[3:0] == '0);
    if (rvalid_i) assume (asked_q != '0);  // a slave answers what it was asked
    if (drains_q) assume (drain_i);        // until all has come
  end

  always_ff @(posedge clk_i) begin
    drains_q       <= rst_ni && drain_i && !idle_o;
    waits_q        <= rst_ni && arvalid_o && !arready_i;
    waiting_addr_q <= araddr_o;
    waiting_len_q  <= arlen_o;
    if (!rst_ni) asked_q <= '0;
    else asked_q <= asked_q + 8'(arvalid_o && arready_i) - 8'(rvalid_i && rready_o && rlast_i);
  end

  always_ff @(posedge clk_i) if (formal_started_q) begin
    if (waits_q) address_stays: assert (arvalid_o && araddr_o == waiting_addr_q && arlen_o == waiting_len_q);
    never_more_in_flight: assert (asked_q <= hotnas_pkg::Outstanding && asked_q == 8'(in_flight_q)
      && room_q == (asked_q != hotnas_pkg::Outstanding));
    every_beat_once: assert (drain_i || (beat_valid_o == rvalid_i && (rvalid_i && rready_o) == (beat_valid_o && beat_ready_i)));
    if (arvalid_o) within_a_page: assert (14'(araddr_o[11:0]) + ((14'(arlen_o) + 14'd1) << 4) <= 14'd4096);
  end
