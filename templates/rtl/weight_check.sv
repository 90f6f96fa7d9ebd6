// Holds the weights against the checksum that their descriptor has of them, each time they come: for every tile
// of the layer, from memory or from the chip.
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

  logic first_q, judged_q;
  logic [hotnas_pkg::SealBits-1:0] sum;

  checksum #(.DataBits(hotnas_pkg::PlaneBits)) u_sum (
    .clk_i,
    .valid_i (plane_valid_i),
    .first_i (first_q),
    .data_i  (plane_i),
    .sum_o   (sum)
  );

  assign wrong_o = judged_q && (sum != cfg.wgt_sum);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      first_q  <= 1'b1;
      judged_q <= 1'b0;
    end else begin
      if (start_i || last_i) first_q <= 1'b1;
      else if (plane_valid_i) first_q <= 1'b0;
      judged_q <= last_i;
    end
  end

  logic unused;
  assign unused = ^cfg;

endmodule
