// Tn multipliers and their adder tree: the products of one output channel in one cycle.
// Latency: 1 cycle for the products, one for each of the clog2(Tn) levels of the tree. Products in LUTs end behind
// their register, in front of the first level.
module mac_row #(
  parameter bit Fabric = 1'b0  // products in LUTs, none in a DSP slice
) (
  input  logic clk_i,
  input  logic [hotnas_pkg::Tn*hotnas_pkg::WgtBits-1:0] weights_i,
  input  logic [hotnas_pkg::Tn*2-1:0] patterns_i,
  input  logic [hotnas_pkg::Patterns*hotnas_pkg::Tn*hotnas_pkg::ActBits-1:0] ifm_i,  // of a port a pattern
  output logic signed [hotnas_pkg::SumBits-1:0] sum_o
);

  localparam int unsigned SumBits = hotnas_pkg::SumBits;

  localparam int unsigned A = hotnas_pkg::ActBits;
  localparam int unsigned W = hotnas_pkg::WgtBits;
  localparam int unsigned Leaves = 2 ** hotnas_pkg::TreeLevels;

  // A heap: node 1 is the root, nodes Leaves .. 2*Leaves-1 are the products.
  (* mem2reg *) logic signed [hotnas_pkg::SumBits-1:0] node_q [2*Leaves];

  for (genvar n = 0; n < Leaves; n++) begin : gen_leaf
    if (n < hotnas_pkg::Tn) begin : gen_product
      logic signed [A-1:0] ifm;
      if (hotnas_pkg::Patterns > 1) begin : gen_pattern
        logic [A-1:0] low, high;
        assign low  = patterns_i[2*n] ? ifm_i[(1*hotnas_pkg::Tn+n)*A +: A] : ifm_i[n*A +: A];
        assign high = patterns_i[2*n] ? ifm_i[(3*hotnas_pkg::Tn+n)*A +: A] : ifm_i[(2*hotnas_pkg::Tn+n)*A +: A];
        assign ifm  = $signed(patterns_i[2*n+1] ? high : low);
      end else begin : gen_dense
        assign ifm = $signed(ifm_i[n*A +: A]);
      end
      if (Fabric) begin : gen_fabric
        logic [A+W-1:0] product;
        fabric_product u_product (
          .clk_i,
          .ifm_i     (ifm),
          .weight_i  (weights_i[n*W +: W]),
          .product_o (product)
        );
        assign node_q[Leaves+n] = SumBits'($signed(product));
      end else begin : gen_slice
        always_ff @(posedge clk_i)
          node_q[Leaves+n] <= SumBits'($signed(weights_i[n*W +: W])) * SumBits'(ifm);
      end
    end else begin : gen_zero
      always_ff @(posedge clk_i) node_q[Leaves+n] <= '0;
    end
  end

  for (genvar i = 1; i < Leaves; i++) begin : gen_add
    always_ff @(posedge clk_i) node_q[i] <= node_q[2*i] + node_q[2*i+1];
  end

  assign sum_o = node_q[1];

  if (hotnas_pkg::Patterns == 1) begin : gen_unused  // every weight reads through port 0
    logic unused;
    assign unused = ^{patterns_i, ifm_i};
  end

endmodule
