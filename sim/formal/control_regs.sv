// Properties of control_regs: every access of AXI4-Lite is answered once, what is offered stays until it is taken,
// a run starts only when none is under way, and its end is not lost.
//: depth 2
//: search 14
//: mutant one_answer_to_a_write
//:   assign bvalid_o  = write_q == WriteResp;
//:   assign bvalid_o  = write_q != WriteAddr;
//: mutant write_answer_stays
//:   WriteResp: if (bready_i) write_q <= WriteAddr;
//:   WriteResp: write_q <= WriteAddr;
//: mutant one_answer_to_a_read
//:   assign arready_o = !rvalid_q;
//:   assign arready_o = 1'b1;
//: mutant read_answer_stays
//:   end else if (rready_i) begin
//:   end else if (1'b1) begin
//: mutant no_start_in_a_run
//:   begin_q   <= (start_q || start_written) && !running_q && !begin_q && !aborting_i && !abort_o;
//:   begin_q   <= (start_q || start_written) && !begin_q && !aborting_i && !abort_o;
//: mutant no_start_in_an_abort
//:   begin_q   <= (start_q || start_written) && !running_q && !begin_q && !aborting_i && !abort_o;
//:   begin_q   <= (start_q || start_written) && !running_q && !begin_q && !aborting_i;
//: mutant end_is_told
//:   if (done_i && ier_q[0]) isr_q[0] <= 1'b1;
//:   if (done_i && ier_q[0] && !write) isr_q[0] <= 1'b1;
//: mutant idle_is_idle
//:   assign idle_q      = !running_q && !start_q;  // from a start on it tells that the run has ended
//:   assign idle_q      = !running_q;

  logic       address_q, data_q;  // of the write under way, taken
  logic [1:0] reads_q;            // asked for and not answered
  logic       write_waits_q, read_waits_q, ended_q, asked_q, runs_q, aborting_q;
  logic [31:0] answer_q;

  always_comb if (!runs_q && !start_o) assume (!done_i);  // a run that is none does not end

  always_ff @(posedge clk_i) begin
    write_waits_q <= rst_ni && bvalid_o && !bready_i;
    read_waits_q  <= rst_ni && rvalid_o && !rready_i;
    answer_q      <= rdata_o;
    ended_q       <= rst_ni && done_i;
    asked_q       <= ier_q[0];
    aborting_q    <= aborting_i || abort_o;
    if (!rst_ni) begin
      {address_q, data_q, runs_q} <= '0;
      reads_q <= '0;
    end else begin
      runs_q <= (runs_q || start_o) && !done_i;
      if (awvalid_i && awready_o) address_q <= 1'b1;
      else if (bvalid_o && bready_i) address_q <= 1'b0;
      if (wvalid_i && wready_o) data_q <= 1'b1;
      else if (bvalid_o && bready_i) data_q <= 1'b0;
      reads_q <= reads_q + 2'(arvalid_i && arready_o) - 2'(rvalid_o && rready_i);
    end
  end

  always_ff @(posedge clk_i) if (formal_started_q) begin
    one_answer_to_a_write: assert (bvalid_o == (address_q && data_q) && (!data_q || address_q)
      && awready_o == !address_q && wready_o == (address_q && !data_q));
    if (write_waits_q) write_answer_stays: assert (bvalid_o);
    one_answer_to_a_read: assert (reads_q == 2'(rvalid_o));
    if (read_waits_q) read_answer_stays: assert (rvalid_o && rdata_o == answer_q);
    no_start_in_a_run: assert (!(start_o && runs_q) && runs_q == running_q);
    if (aborting_q) no_start_in_an_abort: assert (!start_o);
    if (ended_q) end_is_told: assert (done_q && (!asked_q || isr_q[0]));
    idle_is_idle: assert (!(idle_q && (start_q || runs_q)));
  end
