// Accumulators of one output channel, in two halves: compute accumulates into one while store_ofm
// drains the other. A pixel may be accumulated again MinSweep cycles later at the earliest.
module acc_bank (
  input  logic                clk_i,
  // accumulate: address one cycle before the term
  input  logic                half_i,
  input  logic [hotnas_pkg::AccAddrBits-1:0] addr_i,
  input  logic                valid_i,
  input  logic                first_i,      // start from the bias (or the term alone, for a maximum)
  input  logic                reduce_max_i,
  input  logic signed [hotnas_pkg::SumBits-1:0] term_i,  // in the cycle after addr_i
  input  logic [31:0]         bias_i,       // signed; in the cycle after addr_i
  // drain
  input  logic                drain_half_i,
  input  logic [hotnas_pkg::AccAddrBits-1:0] drain_addr_i,
  output logic [hotnas_pkg::AccBits-1:0] drain_o         // one cycle later
);

  localparam int unsigned AccBits = hotnas_pkg::AccBits;

  logic                      half_q, valid_q, first_q, reduce_max_q, write_q, write_half_q, drain_half_q;
  logic [hotnas_pkg::AccAddrBits-1:0]       addr_q, write_addr_q;
  logic signed [AccBits-1:0] old, term, sum_q;
  logic [AccBits-1:0]        read [2];

  for (genvar half = 0; half < 2; half++) begin : gen_half
    logic [hotnas_pkg::AccAddrBits-1:0] raddr;
    // Never both: compute accumulates into a half only after it was drained.
    assign raddr = (valid_i && half_i == 1'(half)) ? addr_i : drain_addr_i;
    sdp_ram #(
      .Width (AccBits),
      .Depth (hotnas_pkg::OfmDepth)
    ) u_ram (
      .clk_i,
      .we_i    (write_q && (write_half_q == 1'(half))),
      .waddr_i (write_addr_q),
      .wdata_i (sum_q),
      .raddr_i (raddr),
      .rdata_o (read[half])
    );
  end

  assign old  = $signed(half_q ? read[1] : read[0]);
  assign term = AccBits'(term_i);

  always_ff @(posedge clk_i) begin
    half_q       <= half_i;
    valid_q      <= valid_i;
    first_q      <= first_i;
    reduce_max_q <= reduce_max_i;
    addr_q       <= addr_i;
    drain_half_q <= drain_half_i;

    write_q      <= valid_q;
    write_half_q <= half_q;
    write_addr_q <= addr_q;
    if (reduce_max_q) sum_q <= (first_q || term > old) ? term : old;
    else sum_q <= (first_q ? AccBits'($signed(bias_i)) : old) + term;
  end

  assign drain_o = drain_half_q ? read[1] : read[0];

endmodule
