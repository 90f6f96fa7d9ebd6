// One channel of a layer that keeps every channel to itself: the sum of weight x IFM (depthwise
// convolution, average pooling) or the maximum of the IFM (maximum pooling) over the kernel positions
// of a cycle, one a tap. Latency as mac_row's.
module channel_lane (
  input  logic clk_i,
  input  logic reduce_max_i,
  input  logic [hotnas_pkg::Taps*hotnas_pkg::WgtBits-1:0] weights_i,  // signed
  input  logic [hotnas_pkg::Taps*hotnas_pkg::ActBits-1:0] ifm_i,      // signed
  output logic signed [hotnas_pkg::SumBits-1:0] term_o
);

  localparam int unsigned SumBits = hotnas_pkg::SumBits;

  localparam int unsigned A = hotnas_pkg::ActBits;
  localparam int unsigned W = hotnas_pkg::WgtBits;
  localparam int unsigned Taps      = hotnas_pkg::Taps;
  localparam int unsigned TapLevels = $clog2(Taps);
  localparam int unsigned TermBits  = W + A + TapLevels;
  localparam int unsigned Wait      = hotnas_pkg::TreeLevels - TapLevels;  // Tn is at least 2 and Taps

  localparam int unsigned Leaves    = 2 ** TapLevels;

  // A heap as in mac_row: node 1 is the root, nodes Leaves .. 2*Leaves-1 are the products. One that has but a
  // left child hands that on; one without a product below it is nothing.
  (* mem2reg *) logic signed [TermBits-1:0] node_q [2*Leaves];

  for (genvar tap = 0; tap < Taps; tap++) begin : gen_tap
    logic signed [W-1:0] weight;
    logic signed [A-1:0] ifm;
    assign weight = $signed(weights_i[tap*W +: W]);
    assign ifm    = $signed(ifm_i[tap*A +: A]);
    always_ff @(posedge clk_i)
      node_q[Leaves+tap] <= reduce_max_i ? TermBits'(ifm) : TermBits'(weight) * TermBits'(ifm);
  end

  for (genvar i = Leaves + Taps; i < 2 * Leaves; i++) begin : gen_no_tap
    assign node_q[i] = '0;
  end

  for (genvar i = 1; i < Leaves; i++) begin : gen_join
    localparam int unsigned Below = TapLevels + 1 - $clog2(i + 1);  // levels
    localparam int unsigned First = (i << Below) - Leaves;          // tap below it
    if (First >= Taps) begin : gen_nothing
      assign node_q[i] = '0;
    end else if (First + (1 << (Below - 1)) >= Taps) begin : gen_alone
      always_ff @(posedge clk_i) node_q[i] <= node_q[2*i];
    end else begin : gen_both
      always_ff @(posedge clk_i) begin
        if (!reduce_max_i) node_q[i] <= node_q[2*i] + node_q[2*i+1];
        else node_q[i] <= node_q[2*i] > node_q[2*i+1] ? node_q[2*i] : node_q[2*i+1];
      end
    end
  end

  if (Wait > 0) begin : gen_wait
    logic [Wait*TermBits-1:0] wait_q;
    always_ff @(posedge clk_i) wait_q <= (Wait*TermBits)'({wait_q, node_q[1]});
    assign term_o = SumBits'($signed(wait_q[(Wait-1)*TermBits +: TermBits]));
  end else begin : gen_no_wait
    assign term_o = SumBits'(node_q[1]);
  end

endmodule
