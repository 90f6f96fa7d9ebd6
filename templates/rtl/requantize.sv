// One activation: clamp(round_half_up((acc + residual << residual_shift) >> output_shift)).
// Latency 3: sum, shift, clamp. The residual comes a cycle before its accumulator, shifted by 0 to 3 already.
module requantize (
  input  logic        clk_i,
  input  logic [hotnas_pkg::AccBits-1:0] acc_i,       // signed
  input  logic [hotnas_pkg::ActBits+2:0] residual_i,  // signed; 0 when there is none
  input  logic [5:0]  residual_shift_i,   // in steps of four
  input  logic [7:0]  output_shift_i,
  input  logic [hotnas_pkg::AccBits:0] rounding_i,   // half of what is shifted out
  input  logic signed [15:0] clamp_low_i,
  input  logic signed [15:0] clamp_high_i,
  output logic [hotnas_pkg::ActBits-1:0] act_o
);

  localparam int unsigned ActBits = hotnas_pkg::ActBits;

  localparam int unsigned Bits = hotnas_pkg::AccBits + 1;

  logic signed [Bits-1:0] added_q, sum_q, shifted_q;

  always_ff @(posedge clk_i) begin
    added_q   <= (Bits'($signed(residual_i)) <<< {residual_shift_i, 2'd0}) + rounding_i;
    sum_q     <= Bits'($signed(acc_i)) + added_q;
    shifted_q <= sum_q >>> output_shift_i;
    if (shifted_q < Bits'(clamp_low_i)) act_o <= ActBits'(clamp_low_i);
    else if (shifted_q > Bits'(clamp_high_i)) act_o <= ActBits'(clamp_high_i);
    else act_o <= ActBits'(shifted_q);
  end

endmodule
