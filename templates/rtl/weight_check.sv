// Holds the weights against the checksum that their descriptor has of them, each time they come: for every tile
// of the layer, from memory or from the chip. A plane is taken into registers first: what it comes through is long.
module weight_check (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic start_i,        // pulse: the weights of the layer in cfg_i begin to come
  input  logic [hotnas_pkg::HeaderBits-1:0] cfg_i,  // hotnas_pkg::descriptor_t
  input  logic plane_valid_i,  // a plane of them is taken
  input  logic [hotnas_pkg::PlaneBits-1:0] plane_i,
  input  logic last_i,         // with it: the last one for a tile
  output logic wrong_o         // pulse: they were others
);

  hotnas_pkg::descriptor_t cfg;
  assign cfg = cfg_i;

  logic judged_q, begin_q, taken_q, last_q, equal;
  logic [hotnas_pkg::PlaneBits-1:0] plane_q;

  checksum #(.DataBits(hotnas_pkg::PlaneBits)) u_sum (
    .clk_i,
    .begin_i    (begin_q),
    .valid_i    (taken_q),
    .data_i     (plane_q),
    .expected_i (cfg.wgt_sum),
    .equal_o    (equal)
  );

  assign wrong_o = judged_q && !equal;

  always_ff @(posedge clk_i) begin
    begin_q  <= start_i || last_i;
    taken_q  <= plane_valid_i;
    plane_q  <= plane_i;
    last_q   <= last_i && rst_ni;
    judged_q <= last_q && rst_ni;
  end

  logic unused;
  assign unused = ^cfg;

endmodule
