// The product of an activation and a factor: clamp(round_half_up(act * factor >> shift)).
// Latency 3: product, shift, clamp.
module product (
  input  logic       clk_i,
  input  logic [hotnas_pkg::ActBits-1:0] act_i,     // signed
  input  logic [hotnas_pkg::ActBits-1:0] factor_i,  // signed
  input  logic [7:0] shift_i,                       // less than two activations have bits
  output logic [hotnas_pkg::ActBits-1:0] act_o
);

  localparam int unsigned ActBits   = hotnas_pkg::ActBits;
  localparam int unsigned Bits      = 2 * ActBits;
  localparam int unsigned ShiftBits = $clog2(Bits);

  logic signed [Bits-1:0] product_q;
  logic signed [Bits:0]   shifted_q;  // and the bit below, by which it is rounded
  logic signed [Bits:0]   rounded;
  logic [Bits-ActBits:0]  sign;       // its copies, where an activation holds what is rounded

  assign rounded = (shifted_q >>> 1) + (Bits + 1)'(signed'({1'b0, shifted_q[0]}));
  assign sign    = rounded[Bits-1 : ActBits-1];

  always_ff @(posedge clk_i) begin
    product_q <= Bits'($signed(act_i)) * Bits'($signed(factor_i));
    shifted_q <= $signed({product_q, 1'b0}) >>> ShiftBits'(shift_i);
    if (sign == '0 || sign == '1) act_o <= rounded[ActBits-1:0];
    else act_o <= {rounded[Bits], {(ActBits-1){!rounded[Bits]}}};
  end

  logic unused;
  assign unused = ^shift_i;

endmodule
