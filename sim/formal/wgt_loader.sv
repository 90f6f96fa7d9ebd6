// Properties of wgt_loader: its tokens and its runs. No job comes into a slot that is in use, none is asked for more
// than one ahead of its slot, and a run that is asked for stays as it is until it is taken.
//: depth 3
//: search 26
//: plain job_walker
//: mutant one_ahead
//:   else if (begun_q && may_ask) state_q <= Planes;
//:   else if (begun_q) state_q <= Planes;
//: mutant starts_from_idle
//:   started_q <= start_i || (started_q && !may_ask);
//:   started_q <= start_i || started_q;
//: mutant counted
//:   askable_q <= askable_q - 2'(ask_next) + 2'(release_i);
//:   askable_q <= askable_q - 2'(ask_next && !release_i) + 2'(release_i);
//: mutant waits_for_the_port
//:   Request: if (!asks_q) begin
//:   Request: begin
//: mutant kept_until_taken
//:   asks_q  <= (state_q == Size) || (asks_q && !run_ready_i);
//:   asks_q  <= (state_q == Size);
//: mutant into_a_free_slot
//:   assign plane_ready_o = active_q && slot_free_q;
//:   assign plane_ready_o = active_q;

  logic [1:0] coming_q = '0;  // jobs that were asked for and are not in their slots
  logic [1:0] used_q   = '0;  // slots that hold a job

  always_comb if (release_i) assume (used_q != '0);       // compute gives back what it got
  always_comb if (plane_valid_i) assume (coming_q != '0); // a port brings what it was asked for
  // A layer's first job is asked for when all of the one before are in.
  always_comb assume (!start_i || (state_q == Idle && !started_q && !active_q && !ask_next_q));

  always_ff @(posedge clk_i) begin
    if (!rst_ni || idle_i) {coming_q, used_q} <= '0;  // what a run that ended early left is nobody's
    else begin
      coming_q <= coming_q + 2'(ask_next) - 2'(job_done);
      used_q   <= used_q + 2'(job_done) - 2'(release_i);
    end
  end

  always_ff @(posedge clk_i) if (formal_started_q) begin
    if (started_q) starts_from_idle: assert (state_q == Idle);
    if (state_q == Planes || state_q == Size || asks_q) one_ahead: assert (askable_q != '0);
    counted: assert (slots_free_q <= 2'd2 && used_q == 2'd2 - slots_free_q
                     && 3'(askable_q) + 3'(coming_q) == 3'(slots_free_q) + 3'd1);
    waits_for_the_port: assert ((state_q == Request || (!asks_q && !ask_next_q)) && !(asks_q && ask_next_q));
    if (job_done) into_a_free_slot: assert (slots_free_q != '0);
    if ($past(formal_started_q && !idle_i && asks_q && !run_ready_i) && rst_ni)
      kept_until_taken: assert (asks_q && $stable(run_addr_o) && $stable(run_planes_o));
  end
