// Properties of burst_splitter: bursts stay within 4 KiB and MaxBurst, their lengths add up to the run's, one
// follows the other without a gap in the addresses, and what is offered stays until it is taken. A drain ends the
// run behind the burst on offer.
//: depth 3
//: set DataBits 128
//: mutant within_a_page
//:   addr_q <= {addr_q[63:Boundary] + 1'b1, Boundary'(0)};
//:   addr_q <= addr_q + (64'(len_q) + 64'd1 << BeatShift) + (64'd1 << BeatShift);
//: mutant lengths_add_up
//:   left_q <= end_beat[31:BurstBits];
//:   left_q <= run_beats_i[31:BurstBits];
//: mutant addresses_follow
//:   len_q  <= single ? less : ~first;
//:   len_q  <= single ? less : '1;
//: mutant stable
//:   assign valid_o     = busy_q && enable_i;
//:   assign valid_o     = busy_q && enable_i && !run_valid_i;
//: mutant prepared
//:   single = !carry && (run_beats_i
//:   single = (run_beats_i
//: mutant prepared
//:   || (left_q == 2 && end_q == '1)
//:   || (left_q == 2)

  logic [63:0] start_q;         // of the run
  logic [31:0] beats_q, sent_q;  // of the run; those of its bursts taken
  logic [31-BurstBits:0] behind;  // bursts behind the one offered
  assign behind = left_q - (32 - BurstBits)'(end_q == '1);
  logic        waits_q = 1'b0, enabled_q = 1'b0, drains_q = 1'b0, drained_q;
  logic [63:0] waiting_addr_q;
  logic [7:0]  waiting_len_q;

  always_comb begin
    // A run, and what lies before it from its first boundary, is counted in 32 bits.
    if (run_valid_i) assume (run_beats_i != '0 && run_beats_i[31:30] == '0 && run_addr_i[BeatShift-1:0] == '0);
    if (enabled_q) assume (enable_i);  // it falls only as a burst is taken
    if (drains_q) assume (drain_i);    // until nothing is on offer
  end

  always_ff @(posedge clk_i) begin
    waits_q        <= rst_ni && valid_o && !ready_i;
    waiting_addr_q <= addr_o;
    waiting_len_q  <= len_o;
    enabled_q      <= rst_ni && enable_i && !(valid_o && ready_i);
    drains_q       <= rst_ni && drain_i && !idle_o;
    drained_q      <= rst_ni && (drain_i || (drained_q && !(run_valid_i && run_ready_o)));
    if (!rst_ni) begin
      start_q <= '0;
      beats_q <= '0;
      sent_q  <= '0;
    end else if (run_valid_i && run_ready_o) begin
      start_q <= run_addr_i;
      beats_q <= run_beats_i;
      sent_q  <= '0;
    end else if (valid_o && ready_i) begin
      sent_q <= sent_q + 32'(len_o) + 32'd1;
    end
  end

  always_ff @(posedge clk_i) if (formal_started_q) begin
    if (!idle_o) within_a_page: assert (14'(addr_o[11:0]) + ((14'(len_o) + 14'd1) << BeatShift) <= 14'd4096);
    if (!idle_o) addresses_follow: assert (addr_o == start_q + (64'(sent_q) << BeatShift) && addr_o[BeatShift-1:0] == '0);
    lengths_add_up: assert (sent_q <= beats_q && (idle_o == (sent_q == beats_q) || (drained_q && idle_o))
      && (idle_o || 32'(len_q) + 32'd1 <= beats_q - sent_q));
    if (!idle_o) prepared: assert (last_q == (behind == '0)
      && (last_q || len_q == ~addr_q[BeatShift +: BurstBits])
      && beats_q - sent_q == (last_q ? 32'(len_q) + 32'd1 : 32'(len_q) + 32'd2 + {behind - 1'b1, end_q}));
    if (waits_q) stable: assert (valid_o && addr_o == waiting_addr_q && len_o == waiting_len_q);
  end
