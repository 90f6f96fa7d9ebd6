// Properties of axi_write_master: addresses and data stay until they are taken, a burst has as many beats as its address
// said and WLAST with the last, no more are in flight than may be, and idle_o tells that all were answered.
//: bounded
//: depth 8
//: search 9
//: with burst_splitter stream_fifo
//: set DataBits 32
//: constant Outstanding 2
//: constant MaxBurst 4
//: mutant address_stays
//:   .enable_i (room_q),
//:   .enable_i (room_q && !wready_i),
//: mutant data_stays
//:   assign wvalid_o     = (beat_valid_i || drain_i) && burst_valid;
//:   assign wvalid_o     = (beat_valid_i || drain_i) && burst_valid && !awready_i;
//: mutant last_with_the_last
//:   if (beat_done_o) beat_q <= wlast_o ? '0 : beat_q + 1'b1;
//:   if (beat_done_o) beat_q <= beat_q + 1'b1;
//: mutant no_data_ahead
//:   .valid_i (awvalid_o && !offered_q),
//:   .valid_i (awvalid_o),
//: mutant never_more_in_flight
//:   assign answered     = bvalid_i && bready_o;
//:   assign answered     = bvalid_i && bready_o || wvalid_o && wlast_o && !awvalid_o && in_flight_q != '0;
//: mutant idle_when_answered
//:   assign idle_o       = splitter_idle && (in_flight_q == '0);
//:   assign idle_o       = splitter_idle;

  (* anyconst *) logic [3:0] watched;  // an arbitrary burst, by its number
  logic [3:0]  offered_bursts_q, data_bursts_q, taken_bursts_q, answered_bursts_q;
  logic [7:0]  length_q, beats_q;      // of the watched burst; beats of the burst whose data leaves
  logic        known_q, address_waits_q, data_waits_q, beat_waits_q = 1'b0;
  logic [63:0] waiting_addr_q;
  logic [DataBits-1:0] waiting_data_q, waiting_beat_q;
  logic        waiting_last_q, new_offer;
  logic        drains_q = 1'b0;

  assign new_offer = awvalid_o && !address_waits_q;

  always_comb begin
    if (run_valid_i) assume (run_beats_i != '0 && run_beats_i[31:30] == '0 && run_addr_i[1:0] == '0);
    if (bvalid_i) assume (answered_bursts_q != data_bursts_q && answered_bursts_q != taken_bursts_q);
    if (beat_waits_q && !drain_i) assume (beat_valid_i && beat_i == waiting_beat_q);
    if (drains_q) assume (drain_i);  // until all is answered
    if (drain_i && !drains_q) assume (!data_waits_q);
  end

  always_ff @(posedge clk_i) begin
    drains_q        <= rst_ni && drain_i && !idle_o;
    address_waits_q <= rst_ni && awvalid_o && !awready_i;
    data_waits_q    <= rst_ni && wvalid_o && !wready_i;
    beat_waits_q    <= rst_ni && beat_valid_i && !beat_ready_o && !drain_i;
    waiting_addr_q  <= awaddr_o;
    waiting_data_q  <= wdata_o;
    waiting_beat_q  <= beat_i;
    waiting_last_q  <= wlast_o;
    if (!rst_ni) begin
      {offered_bursts_q, data_bursts_q, taken_bursts_q, answered_bursts_q} <= '0;
      beats_q <= '0;
      known_q <= 1'b0;
    end else begin
      if (new_offer) offered_bursts_q <= offered_bursts_q + 4'd1;
      if (new_offer && offered_bursts_q == watched) begin
        length_q <= awlen_o;
        known_q  <= 1'b1;
      end
      if (awvalid_o && awready_i) taken_bursts_q <= taken_bursts_q + 4'd1;
      if (bvalid_i && bready_o) answered_bursts_q <= answered_bursts_q + 4'd1;
      if (wvalid_o && wready_i) begin
        beats_q <= wlast_o ? '0 : beats_q + 8'd1;
        if (wlast_o) data_bursts_q <= data_bursts_q + 4'd1;
      end
    end
  end

  always_ff @(posedge clk_i) if (formal_started_q) begin
    if (address_waits_q) address_stays: assert (awvalid_o && awaddr_o == waiting_addr_q);
    if (data_waits_q) data_stays: assert (wvalid_o && wdata_o == waiting_data_q && wlast_o == waiting_last_q);
    if (wvalid_o && known_q && data_bursts_q == watched) last_with_the_last: assert (wlast_o == (beats_q == length_q));
    if (wvalid_o) no_data_ahead: assert (data_bursts_q != offered_bursts_q);
    never_more_in_flight: assert (4'(taken_bursts_q - answered_bursts_q) <= hotnas_pkg::Outstanding);
    if (idle_o) idle_when_answered: assert (taken_bursts_q == answered_bursts_q);
  end
