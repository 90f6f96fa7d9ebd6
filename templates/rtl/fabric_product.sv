// The product of an activation and a weight without a DSP slice: a radix-4 Booth multiplier whose rows are carry
// chains of LUTs. A row adds digit * activation, its digit -2 to 2 being two bits of the weight, to what the
// row before left above its two lowest bits.
// Latency: 1 cycle. The register lies amid the rows, for a chain of all of them is longer than anything else in the
// array: those of the weight's upper half lie behind it, in front of the first adder.
module fabric_product (
  input  logic clk_i,
  input  logic [hotnas_pkg::ActBits-1:0] ifm_i,     // signed
  input  logic [hotnas_pkg::WgtBits-1:0] weight_i,  // signed
  output logic [hotnas_pkg::ActBits+hotnas_pkg::WgtBits-1:0] product_o  // signed, combinational from the register
);

  localparam int unsigned A     = hotnas_pkg::ActBits;
  localparam int unsigned W     = hotnas_pkg::WgtBits;
  localparam int unsigned Rows  = (W + 1) / 2;
  localparam int unsigned Early = (Rows + 1) / 2;  // rows in front of the register
  localparam int unsigned Bits  = A + 2;           // of a row's sum

  logic [2*Rows:0]         weight;  // a zero below it
  logic [2*Rows:2*Early]   weight_q;
  logic [A-1:0]            ifm_q;
  logic [Rows*Bits-1:0]    sums;
  logic [Early*Bits-1:0]   sums_q;
  assign weight = {(2*Rows)'($signed(weight_i)), 1'b0};
  always_ff @(posedge clk_i) begin
    weight_q <= weight[2*Rows:2*Early];
    ifm_q    <= ifm_i;
    sums_q   <= sums[Early*Bits-1:0];
  end

  for (genvar row = 0; row < Rows; row++) begin : gen_row
    localparam int unsigned Low  = 2 * row;  // the lowest bit of this row in the product
    localparam int unsigned Kept = row == Rows - 1 ? A + W - Low : 2;
    logic [2:0]      digit;
    logic [A-1:0]    ifm;
    logic            negative, one, two;
    logic [Bits-1:0] above, multiple, sum;
    logic            carry;

    if (row < Early) begin : gen_early
      assign digit = weight[Low +: 3];
      assign ifm   = ifm_i;
      assign product_o[Low +: Kept] = sums_q[row*Bits +: Kept];
    end else begin : gen_late
      assign digit = weight_q[Low +: 3];
      assign ifm   = ifm_q;
      assign product_o[Low +: Kept] = sum[Kept-1:0];
    end
    if (row == 0) begin : gen_first
      assign above = '0;
    end else if (row == Early) begin : gen_registered
      assign above = Bits'($signed(sums_q[(row-1)*Bits+2 +: A]));
    end else begin : gen_next
      assign above = Bits'($signed(sums[(row-1)*Bits+2 +: A]));
    end
    assign negative = digit[2];
    assign one      = digit[1] ^ digit[0];
    assign two      = !one && digit[2] != digit[1];
    // The ones' complement of a negative multiple: the chain's lowest bit carries a one into it.
    assign multiple = {Bits{negative}} ^ ({Bits{one}} & Bits'($signed(ifm)) |
                                          {Bits{two}} & Bits'($signed({ifm, 1'b0})));
    // above + multiple + negative, as a difference: so tools take `above` for the operand that needs no LUT.
    assign {sum, carry} = {above, 1'b0} - {~multiple, !negative};
    assign sums[row*Bits +: Bits] = sum;

    logic unused;
    assign unused = ^{carry, sum};
  end

  logic unused;
  assign unused = ^{sums, sums_q, weight_q, ifm_q};

endmodule
