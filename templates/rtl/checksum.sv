// Checksum of a stream: for each 32-bit word a rotation by one bit and an exclusive or. A descriptor that was
// made for this design gives its signature; weights give what their descriptor says.
module checksum #(
  parameter int unsigned DataBits = 128
) (
  input  logic clk_i,
  input  logic valid_i,
  input  logic first_i,  // with valid_i: the sum begins with these words
  input  logic [DataBits-1:0] data_i,
  output logic [hotnas_pkg::SealBits-1:0] sum_o
);

  localparam int unsigned Bits  = hotnas_pkg::SealBits;
  localparam int unsigned Words = DataBits / 32;

  logic [Bits-1:0] sum;

  always_comb begin
    sum = first_i ? '0 : sum_o;
    for (int unsigned w = 0; w < Words; w++)
      sum = {sum[Bits-2:0], sum[Bits-1]} ^ data_i[32*w +: Bits] ^ Bits'(data_i[32*w+Bits +: 32-Bits]);
  end

  always_ff @(posedge clk_i) if (valid_i) sum_o <= sum;

endmodule
