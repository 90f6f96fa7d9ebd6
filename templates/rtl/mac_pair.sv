// Tn packed multipliers and two adder trees: the products of output channels 2k and 2k+1 in one cycle,
// two of one input channel x in one DSP slice. The slice forms ((w1 << P) + w0) * x, P bits a product:
// w0*x is its lower half; its upper half is w1*x, less one where w0*x is negative and borrows. The upper
// tree gives every such borrow back, as the carry of an adder. Products in LUTs are two, and nothing is borrowed.
// Latency as mac_row's.
module mac_pair #(
  parameter bit Fabric = 1'b0  // products in LUTs, none in a DSP slice
) (
  input  logic clk_i,
  input  logic [2*hotnas_pkg::Tn*hotnas_pkg::WgtBits-1:0] weights_i,  // of channel 2k below
  input  logic [hotnas_pkg::Tn*2-1:0] patterns_i,                     // of both
  input  logic [hotnas_pkg::Patterns*hotnas_pkg::Tn*hotnas_pkg::ActBits-1:0] ifm_i,  // of a port a pattern
  output logic [2*hotnas_pkg::SumBits-1:0] sums_o                     // signed, of channel 2k below
);

  localparam int unsigned SumBits = hotnas_pkg::SumBits;

  localparam int unsigned A = hotnas_pkg::ActBits;
  localparam int unsigned W = hotnas_pkg::WgtBits;
  localparam int unsigned P = A + W;
  localparam int unsigned Tn = hotnas_pkg::Tn;
  localparam int unsigned Leaves = 2 ** hotnas_pkg::TreeLevels;

  logic [Leaves*2*P-1:0] products;  // one cycle later

  for (genvar n = 0; n < Leaves; n++) begin : gen_leaf
    if (n < Tn) begin : gen_product
      logic signed [A-1:0]   ifm;
      if (hotnas_pkg::Patterns > 1) begin : gen_pattern
        logic [A-1:0] low, high;
        assign low  = patterns_i[2*n] ? ifm_i[(1*Tn+n)*A +: A] : ifm_i[n*A +: A];
        assign high = patterns_i[2*n] ? ifm_i[(3*Tn+n)*A +: A] : ifm_i[(2*Tn+n)*A +: A];
        assign ifm  = $signed(patterns_i[2*n+1] ? high : low);
      end else begin : gen_dense
        assign ifm = $signed(ifm_i[n*A +: A]);
      end
      if (Fabric) begin : gen_fabric
        for (genvar row = 0; row < 2; row++) begin : gen_row
          fabric_product u_product (
            .clk_i,
            .ifm_i     (ifm),
            .weight_i  (weights_i[(row*Tn+n)*W +: W]),
            .product_o (products[(2*n+row)*P +: P])
          );
        end
      end else begin : gen_slice
        logic signed [P+W:0]   factor;
        logic signed [2*P-1:0] product_q;
        assign factor = $signed({weights_i[(Tn+n)*W +: W], P'(0)}) + (P+W+1)'($signed(weights_i[n*W +: W]));
        always_ff @(posedge clk_i) product_q <= (2*P)'(factor) * (2*P)'(ifm);
        assign products[n*2*P +: 2*P] = product_q;
      end
    end else begin : gen_zero
      assign products[n*2*P +: 2*P] = '0;
    end
  end

  // Two heaps as in mac_row, without the leaves. A node adds one of its borrows and hands one on; the root,
  // with nobody above it, adds both.
  (* mem2reg *) logic signed [hotnas_pkg::SumBits-1:0] low_q [Leaves];
  (* mem2reg *) logic signed [hotnas_pkg::SumBits-1:0] high_q [Leaves];
  logic [Leaves-1:1] borrow_q;

  for (genvar i = 1; i < Leaves; i++) begin : gen_add
    logic signed [SumBits-1:0] low_a, low_b, high_a, high_b;
    logic borrow_a, borrow_b;
    if (2*i >= Leaves) begin : gen_of_products
      localparam int unsigned First = (2*i - Leaves) * 2 * P;
      assign low_a    = SumBits'($signed(products[First +: P]));
      assign high_a   = SumBits'($signed(products[First+P +: P]));
      assign borrow_a = !Fabric && products[First+P-1];
      assign low_b    = SumBits'($signed(products[First+2*P +: P]));
      assign high_b   = SumBits'($signed(products[First+3*P +: P]));
      assign borrow_b = !Fabric && products[First+3*P-1];
    end else begin : gen_of_sums
      assign {low_a, high_a, borrow_a} = {low_q[2*i], high_q[2*i], borrow_q[2*i]};
      assign {low_b, high_b, borrow_b} = {low_q[2*i+1], high_q[2*i+1], borrow_q[2*i+1]};
    end
    always_ff @(posedge clk_i) begin
      low_q[i]    <= low_a + low_b;
      high_q[i]   <= high_a + high_b + SumBits'(borrow_a) + (i == 1 ? SumBits'(borrow_b) : '0);
      borrow_q[i] <= borrow_b;
    end
  end

  assign sums_o = {high_q[1], low_q[1]};

  logic unused;  // nobody is above the root; without patterns every weight reads through port 0
  assign unused = ^{borrow_q[1], patterns_i, ifm_i};

endmodule
