// Checksum of a stream: the remainder of a division by a polynomial, in which each 32-bit word counts x times what
// the word behind it does. A descriptor that was made for this design gives its signature; weights give what
// their descriptor says.
module checksum #(
  parameter int unsigned DataBits = 128
) (
  input  logic clk_i,
  input  logic begin_i,  // the sum begins with the words of the next cycle
  input  logic valid_i,
  input  logic [DataBits-1:0] data_i,
  input  logic [hotnas_pkg::SealBits-1:0] expected_i,
  output logic equal_o  // the sum so far is the one expected
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

  logic [Bits-1:0]     sum, sum_q;
  logic [(Bits-1)/6:0] same, same_q;  // six bits each

  always_comb begin
    sum = sum_q;
    for (int unsigned w = 0; w < Words; w++) sum = appended(sum, data_i[32*w +: 32]);
    same = '1;
    for (int unsigned i = 0; i < Bits; i++) if (sum[i] != expected_i[i]) same[i/6] = 1'b0;
  end

  // Compared as it is summed, but for the last gate: whether a layer begins hangs on it, and reaches the whole
  // engine.
  always_ff @(posedge clk_i) begin
    if (begin_i) sum_q <= '0;
    else if (valid_i) sum_q <= sum;
    if (valid_i) same_q <= same;
  end
  assign equal_o = same_q == '1;

endmodule
