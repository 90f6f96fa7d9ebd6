// Checksum of a descriptor as it is fetched: for each 32-bit word a rotation by one bit and an exclusive
// or. Only descriptors made for this design give its signature; any other must not be run.
module descriptor_check (
  input  logic clk_i,
  input  logic clear_i,       // before the first beat
  input  logic beat_valid_i,
  input  logic [hotnas_pkg::WgtPortBits-1:0] beat_i,
  output logic sealed_o       // the beats since clear_i are a descriptor of this design
);

  localparam int unsigned Bits  = hotnas_pkg::SealBits;
  localparam int unsigned Words = hotnas_pkg::WgtPortBits / 32;

  logic [Bits-1:0] sum_q, sum;

  always_comb begin
    sum = sum_q;
    for (int unsigned w = 0; w < Words; w++)
      sum = {sum[Bits-2:0], sum[Bits-1]} ^ beat_i[32*w +: Bits] ^ Bits'(beat_i[32*w+Bits +: 32-Bits]);
  end

  always_ff @(posedge clk_i) begin
    if (clear_i) sum_q <= '0;
    else if (beat_valid_i) sum_q <= sum;
  end

  assign sealed_o = sum_q == Bits'(hotnas_pkg::Signature);

endmodule
