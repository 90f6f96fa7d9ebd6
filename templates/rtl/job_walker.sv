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

  // What is left of each loop, the present round included: the last one is found without the descriptor.
  logic [15:0] r_q, c_q, m_q, n_q, k_q;
  logic        first_q, last_n, last_c, last_r;

  assign first_o         = first_q;
  assign last_k_o        = k_q == 16'd1;
  assign last_n          = n_q == 16'd1;
  assign last_m_o        = m_q == 16'd1;
  assign last_c          = c_q == 16'd1;
  assign last_r          = r_q == 16'd1;
  assign last_output_job_o = last_k_o && last_n;
  assign last_tile_job_o = last_output_job_o && last_m_o;
  assign last_tile_o     = last_c && last_r;
  assign last_o          = last_tile_job_o && last_tile_o;

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      {r_q, c_q, m_q, n_q, k_q} <= {cfg.tiles_r, cfg.tiles_c, cfg.tiles_m, cfg.tiles_n, cfg.chunks};
      first_q <= 1'b1;
    end else if (next_i) begin
      first_q <= last_output_job_o;
      k_q <= last_k_o ? cfg.chunks : k_q - 1'b1;
      if (last_k_o) n_q <= last_n ? cfg.tiles_n : n_q - 1'b1;
      if (last_k_o && last_n) m_q <= last_m_o ? cfg.tiles_m : m_q - 1'b1;
      if (last_tile_job_o) c_q <= last_c ? cfg.tiles_c : c_q - 1'b1;
      if (last_tile_job_o && last_c) r_q <= last_r ? cfg.tiles_r : r_q - 1'b1;
    end
  end

  logic unused;
  assign unused = ^cfg;

endmodule
