// Checksum of a stream: the remainder of a division by a polynomial, in which each 32-bit word counts x times what
// the word behind it does. A descriptor that was made for this design gives its signature; weights give what
// their descriptor says.
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

  // x times the sum, and a word, whose degree is at most 31.
  function automatic logic [Bits-1:0] appended(logic [Bits-1:0] sum, logic [31:0] word);
    logic [31:0] rest;
    rest = 32'({sum, 1'b0}) ^ word;
    for (int unsigned i = 31; i >= Bits; i--)
      if (rest[i]) rest = rest ^ (hotnas_pkg::SealPolynomial << (i - Bits));
    appended = rest[Bits-1:0];
  endfunction

  logic [Bits-1:0] sum;

  always_comb begin
    sum = first_i ? '0 : sum_o;
    for (int unsigned w = 0; w < Words; w++) sum = appended(sum, data_i[32*w +: 32]);
  end

  always_ff @(posedge clk_i) if (valid_i) sum_o <= sum;

endmodule
