// Properties of job_walker: every job of a layer once, in order; layers of up to 3 by 3 by 3 by 3 by 3 jobs.
//: depth 2
//: search 20
//: mutant every_job_once
//:   if (last_output_job_o) {m_q, last_m_q} <= behind(m_q, last_m_q, cfg.tiles_m);
//:   if (last_k_q) {m_q, last_m_q} <= behind(m_q, last_m_q, cfg.tiles_m);
//: mutant ends_with_the_last
//:   assign last_o          = last_tile_job_o && last_tile_o;
//:   assign last_o          = last_tile_job_o && last_c_q;
//: mutant first_of_an_output_tile
//:   first_q         <= last_output_job_o;
//:   first_q         <= last_k_q;
//: mutant last_rounds_are_known
//:   behind = last ? begun(rounds) : {left - 16'd1, left == 16'd2};
//:   behind = last ? begun(rounds) : {left - 16'd1, left == 16'd3};

  (* anyconst *) logic [1:0] rows, columns, outputs, inputs, chunks;  // of the layer
  logic [7:0] jobs, done_q, left;

  // Products of numbers up to 3.
  function automatic logic [7:0] times(input logic [7:0] value, input logic [1:0] count);
    times = (count[0] ? value : 8'd0) + (count[1] ? value << 1 : 8'd0);
  endfunction

  assign jobs = times(times(times(times(8'(rows), columns), outputs), inputs), chunks);
  assign left = times(times(times(times(r_q[7:0] - 8'd1, columns) + c_q[7:0] - 8'd1, outputs) + m_q[7:0] - 8'd1, inputs)
                      + n_q[7:0] - 8'd1, chunks) + k_q[7:0];

  always_comb begin
    assume (rows != '0 && columns != '0 && outputs != '0 && inputs != '0 && chunks != '0);
    assume (cfg.tiles_r == 16'(rows) && cfg.tiles_c == 16'(columns) && cfg.tiles_m == 16'(outputs));
    assume (cfg.tiles_n == 16'(inputs) && cfg.chunks == 16'(chunks));
    if (!formal_started_q || (next_i && last_o)) assume (start_i);  // nobody asks behind the last
  end

  always_ff @(posedge clk_i) begin
    if (start_i) done_q <= '0;
    else if (next_i) done_q <= done_q + 8'd1;
  end

  always_ff @(posedge clk_i) if (formal_started_q) begin
    every_job_once: assert (done_q == jobs - left && r_q - 16'd1 < rows && c_q - 16'd1 < columns
      && m_q - 16'd1 < outputs && n_q - 16'd1 < inputs && k_q - 16'd1 < chunks);
    ends_with_the_last: assert (last_o == (done_q == jobs - 8'd1));
    last_rounds_are_known: assert (last_r_q == (r_q == 16'd1) && last_c_q == (c_q == 16'd1) && last_m_q == (m_q == 16'd1)
      && last_n_q == (n_q == 16'd1) && last_k_q == (k_q == 16'd1));
    first_of_an_output_tile: assert (first_o == (n_q == cfg.tiles_n && k_q == cfg.chunks));
  end
