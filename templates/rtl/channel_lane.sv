// One channel of a layer that keeps every channel to itself: weight x IFM (depthwise convolution,
// average pooling) or the IFM alone (maximum pooling). Latency as mac_row's.
module channel_lane (
  input  logic clk_i,
  input  logic reduce_max_i,
  input  logic [hotnas_pkg::WgtBits-1:0] weight_i,  // signed
  input  logic [hotnas_pkg::ActBits-1:0] ifm_i,     // signed
  output logic signed [hotnas_pkg::SumBits-1:0] term_o
);

  localparam int unsigned SumBits = hotnas_pkg::SumBits;

  localparam int unsigned TermBits = hotnas_pkg::WgtBits + hotnas_pkg::ActBits;

  logic signed [hotnas_pkg::WgtBits-1:0] weight;
  logic signed [hotnas_pkg::ActBits-1:0] ifm;
  logic signed [TermBits-1:0]            term_q;

  assign weight = $signed(weight_i);
  assign ifm    = $signed(ifm_i);

  always_ff @(posedge clk_i)
    term_q <= reduce_max_i ? TermBits'(ifm) : TermBits'(weight) * TermBits'(ifm);

  // Tn is at least 2, so the tree has a level and the delay a stage.
  logic [hotnas_pkg::TreeLevels*TermBits-1:0] delay_q;
  always_ff @(posedge clk_i)
    delay_q <= (hotnas_pkg::TreeLevels*TermBits)'({delay_q, term_q});
  assign term_o = SumBits'($signed(delay_q[(hotnas_pkg::TreeLevels-1)*TermBits +: TermBits]));

endmodule
