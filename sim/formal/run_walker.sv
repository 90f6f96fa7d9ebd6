// Properties of run_walker: every run of a box once, at its own address, in order; boxes of up to 3 by 3 runs.
//: depth 3
//: mutant counts_the_box
//:   assign last_o      = last_block_q && last_run_q;
//:   assign last_o      = last_block_q;
//: mutant at_its_address
//:   free ? addr_i : (last_run_q ? block_addr_q : addr_q)
//:   free ? addr_i : (addr_q)
//: mutant last_of_a_block
//:   assign block_last_o = last_run_q;
//:   assign block_last_o = runs_left_q == 16'd2;
//: mutant stable
//:   assign moves = !valid_q || run_ready_i;
//:   assign moves = 1'b1;

  logic [1:0]  block_q, run_q, blocks_q, per_block_q;  // the run offered; the box
  logic [63:0] box_q;
  logic        waits_q;
  logic [63:0] waiting_addr_q;
  logic [31:0] step_q, stride_q;  // between runs, between blocks

  // A product with a number of two bits.
  function automatic logic [63:0] times(input logic [1:0] count, input logic [31:0] stride);
    times = (count[0] ? 64'(stride) : 64'd0) + (count[1] ? 64'(stride) << 1 : 64'd0);
  endfunction

  always_comb begin
    if (start_i) assume (blocks_i - 16'd1 < 16'd3 && runs_i - 16'd1 < 16'd3);
    if (valid_q) assume (block_stride_i == stride_q && run_stride_i == step_q);
    if (!(free && moves)) assume (!start_i);
  end

  always_ff @(posedge clk_i) begin
    waits_q        <= rst_ni && run_valid_o && !run_ready_i;
    waiting_addr_q <= run_addr_o;
    if (start_i) begin
      {block_q, run_q} <= '0;
      blocks_q    <= blocks_i[1:0];
      per_block_q <= runs_i[1:0];
      box_q       <= addr_i;
      step_q      <= run_stride_i;
      stride_q    <= block_stride_i;
    end else if (run_valid_o && run_ready_i) begin
      run_q <= (run_q + 2'd1 == per_block_q) ? '0 : run_q + 2'd1;
      if (run_q + 2'd1 == per_block_q) block_q <= block_q + 2'd1;
    end
  end

  always_ff @(posedge clk_i) if (formal_started_q && run_valid_o) begin
    counts_the_box: assert (
      last_o == (block_q + 2'd1 == blocks_q && run_q + 2'd1 == per_block_q) && block_q < blocks_q && run_q < per_block_q
      && blocks_left_q == 16'(blocks_q - block_q) && runs_left_q == 16'(per_block_q - run_q) && runs_q == 16'(per_block_q)
      && last_block_q == (blocks_left_q == 16'd1) && last_run_q == (runs_left_q == 16'd1));
    at_its_address: assert (run_addr_o == box_q + times(block_q, stride_q) + times(run_q, step_q)
      && block_addr_q == box_q + times(block_q, stride_q));
    last_of_a_block: assert (block_last_o == (run_q + 2'd1 == per_block_q));
    if (waits_q) stable: assert (run_valid_o && run_addr_o == waiting_addr_q);
  end
