// Properties of ifm_loader: its tokens. A half of the buffer is filled only while it is free, and none is counted twice.
//: depth 3
//: search 15
//: plain run_walker stream_fifo
//: mutant never_below_none
//:   WaitHalf: if (begun_q && halves_free_q != '0) state_q <= Clip;
//:   WaitHalf: if (begun_q) state_q <= Clip;
//: mutant free_or_filled
//:   halves_free_q <= halves_free_q - 2'(walker_start) + 2'(release_i);
//:   halves_free_q <= halves_free_q - 2'(walker_start && !release_i) + 2'(release_i);

  logic [1:0] filled_q = '0;  // halves asked for and not given back

  always_comb if (release_i) assume (filled_q != '0);  // compute gives back what it got
  always_comb assume (!start_i || (state_q == Idle && !started_q));    // a layer is loaded when the one before it is

  always_ff @(posedge clk_i) begin
    if (!rst_ni || idle_i) filled_q <= '0;  // what a run that ended early left is nobody's
    else filled_q <= filled_q + 2'(walker_start) - 2'(release_i);
  end

  always_ff @(posedge clk_i) if (formal_started_q) begin
    if (state_q == Clip || state_q == Size || state_q == Request) never_below_none: assert (halves_free_q != '0);
    free_or_filled: assert (halves_free_q <= 2'd2 && filled_q == 2'd2 - halves_free_q);
  end
