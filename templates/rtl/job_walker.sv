// Walks the weight jobs (= compute steps) of a layer: tiles, m, n, k from the outermost to the
// innermost. The outputs describe the present job; next_i moves on.
module job_walker (
  input  logic          clk_i,
  input  logic          start_i,
  input  logic [hotnas_pkg::HeaderBits-1:0] cfg_i,           // hotnas_pkg::descriptor_t
  input  logic          next_i,
  output logic          first_o,         // first job of an output tile (n = 0, k = 0)
  output logic          last_m_o,        // last output tile of the layer's channels
  output logic          last_k_o,        // last chunk of the kernel
  output logic          last_output_job_o, // last job of an output tile
  output logic          last_tile_job_o, // last job of a spatial tile
  output logic          last_tile_o,     // last spatial tile
  output logic          last_o           // last job of the layer
);

  hotnas_pkg::descriptor_t cfg;
  assign cfg = cfg_i;

  // What is left of each loop, the present round included, and whether that is all: in registers, for a job's
  // last beat moves on in the cycle in which it comes.
  logic [15:0] r_q, c_q, m_q, n_q, k_q;
  logic        first_q, last_r_q, last_c_q, last_m_q, last_n_q, last_k_q;

  assign first_o         = first_q;
  assign last_k_o        = last_k_q;
  assign last_m_o        = last_m_q;
  assign last_output_job_o = last_k_q && last_n_q;
  assign last_tile_job_o = last_output_job_o && last_m_q;
  assign last_tile_o     = last_c_q && last_r_q;
  assign last_o          = last_tile_job_o && last_tile_o;

  // {rounds left, the last one} of a loop as it begins, and behind one of its rounds.
  function automatic logic [16:0] begun(input logic [15:0] rounds);
    begun = {rounds, rounds == 16'd1};
  endfunction
  function automatic logic [16:0] behind(input logic [15:0] left, input logic last, input logic [15:0] rounds);
    behind = last ? begun(rounds) : {left - 16'd1, left == 16'd2};
  endfunction

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      {r_q, last_r_q} <= begun(cfg.tiles_r);
      {c_q, last_c_q} <= begun(cfg.tiles_c);
      {m_q, last_m_q} <= begun(cfg.tiles_m);
      {n_q, last_n_q} <= begun(cfg.tiles_n);
      {k_q, last_k_q} <= begun(cfg.chunks);
      first_q         <= 1'b1;
    end else if (next_i) begin
      first_q         <= last_output_job_o;
      {k_q, last_k_q} <= behind(k_q, last_k_q, cfg.chunks);
      if (last_k_q) {n_q, last_n_q} <= behind(n_q, last_n_q, cfg.tiles_n);
      if (last_output_job_o) {m_q, last_m_q} <= behind(m_q, last_m_q, cfg.tiles_m);
      if (last_tile_job_o) {c_q, last_c_q} <= behind(c_q, last_c_q, cfg.tiles_c);
      if (last_tile_job_o && last_c_q) {r_q, last_r_q} <= behind(r_q, last_r_q, cfg.tiles_r);
    end
  end

  logic unused;
  assign unused = ^cfg;

endmodule
