// Properties of burst_splitter: bursts stay within 4 KiB and MaxBurst, their lengths add up to the run's, one
// follows the other without a gap in the addresses, and what is offered stays until it is taken. A drain ends the
// run behind the burst on offer.
//: depth 3
//: set DataBits 128
//: mutant within_a_page
//:   page_q     <= page_rest[from_run];
//:   page_q     <= (PageBits + 1)'(PageBeats);
//: mutant within_max_burst
//:   : page_end[i] ? CountBits'(page[i]) : CountBits'(hotnas_pkg::MaxBurst);
//:   : page_end[i] ? CountBits'(page[i]) : CountBits'(beats[i]);
//: mutant lengths_add_up
//:   rest_q     <= rest[from_run];
//:   rest_q     <= beats[from_run] - 32'd1;
//: mutant addresses_follow
//:   addr_q[63:12] <= addr_q[63:12] + 52'(page_end_q);
//:   addr_q[63:12] <= addr_q[63:12] + 52'(last_q);
//: mutant stable
//:   assign valid_o     = busy_q && enable_i;
//:   assign valid_o     = busy_q && enable_i && !run_valid_i;
//: mutant prepared
//:   && (long_run || (CountBits'(page[i]) <= CountBits'(beats[i])));
//:   && (long_run || (CountBits'(page[i]) < CountBits'(beats[i])));

  logic [63:0] start_q;         // of the run
  logic [31:0] beats_q, sent_q;  // of the run; those of its bursts taken
  logic        waits_q = 1'b0, enabled_q = 1'b0, drains_q = 1'b0, drained_q;
  logic [63:0] waiting_addr_q;
  logic [7:0]  waiting_len_q;

  always_comb begin
    if (run_valid_i) assume (run_beats_i != '0 && run_addr_i[BeatShift-1:0] == '0);
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
    if (!idle_o) begin
      within_a_page: assert (14'(addr_o[11:0]) + ((14'(len_o) + 14'd1) << BeatShift) <= 14'd4096);
      within_max_burst: assert (32'(len_o) + 32'd1 <= hotnas_pkg::MaxBurst);
    end
    if (!idle_o) addresses_follow: assert (addr_o == start_q + (64'(sent_q) << BeatShift) && addr_o[BeatShift-1:0] == '0);
    lengths_add_up: assert (sent_q <= beats_q && (idle_o == (sent_q == beats_q) || (drained_q && idle_o))
      && (idle_o || (rest_q == beats_q - sent_q - 32'(burst_q) && 32'(burst_q) <= beats_q - sent_q)));
    if (!idle_o) prepared: assert (burst_q != '0 && last_q == (rest_q == '0)
      && page_end_q == ((13'(addr_q[11:BeatShift]) + 13'(burst_q)) == 13'(PageBeats))
      && page_q == (PageBits + 1)'(PageBeats) - (page_end_q ? '0 : (PageBits + 1)'(addr_q[11:BeatShift]) + (PageBits + 1)'(burst_q)));
    if (waits_q) stable: assert (valid_o && addr_o == waiting_addr_q && len_o == waiting_len_q);
  end
