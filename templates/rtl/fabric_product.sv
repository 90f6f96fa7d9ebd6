// The product of an activation and a weight without a DSP slice: a radix-4 Booth multiplier whose rows are carry
// chains of LUTs. A row adds digit * activation, its digit -2 to 2 being two bits of the weight, to what the
// row before left above its two lowest bits. Combinational.
module fabric_product (
  input  logic [hotnas_pkg::ActBits-1:0] ifm_i,     // signed
  input  logic [hotnas_pkg::WgtBits-1:0] weight_i,  // signed
  output logic [hotnas_pkg::ActBits+hotnas_pkg::WgtBits-1:0] product_o  // signed
);

  localparam int unsigned A    = hotnas_pkg::ActBits;
  localparam int unsigned W    = hotnas_pkg::WgtBits;
  localparam int unsigned Rows = (W + 1) / 2;
  localparam int unsigned Bits = A + 2;  // of a row's sum

  logic [2*Rows:0]      weight;  // a zero below it
  logic [Rows*Bits-1:0] sums;
  assign weight = {(2*Rows)'($signed(weight_i)), 1'b0};

  for (genvar row = 0; row < Rows; row++) begin : gen_row
    localparam int unsigned Low  = 2 * row;  // the lowest bit of this row in the product
    localparam int unsigned Kept = row == Rows - 1 ? A + W - Low : 2;
    logic            negative, one, two;
    logic [Bits-1:0] above, multiple, sum;
    logic            carry;

    if (row == 0) begin : gen_first
      assign above = '0;
    end else begin : gen_next
      assign above = Bits'($signed(sums[(row-1)*Bits+2 +: A]));
    end
    assign negative = weight[Low+2];
    assign one      = weight[Low+1] ^ weight[Low];
    assign two      = !one && weight[Low+2] != weight[Low+1];
    // The ones' complement of a negative multiple: the chain's lowest bit carries a one into it.
    assign multiple = {Bits{negative}} ^ ({Bits{one}} & Bits'($signed(ifm_i)) |
                                          {Bits{two}} & Bits'($signed({ifm_i, 1'b0})));
    // above + multiple + negative, as a difference: so tools take `above` for the operand that needs no LUT.
    assign {sum, carry} = {above, 1'b0} - {~multiple, !negative};
    assign sums[row*Bits +: Bits]   = sum;
    assign product_o[Low +: Kept] = sum[Kept-1:0];

    logic unused;
    assign unused = ^{carry, sum};
  end

endmodule
