// Accumulators of one output channel: sums on their way, and in two halves those that are complete. While compute
// adds up one output tile store_ofm drains another, or the same one behind its last sweep. A pixel may be
// accumulated again MinSweep cycles later at the earliest.
module acc_bank (
  input  logic                clk_i,
  // accumulate: address one cycle before the term
  input  logic                half_i,
  input  logic [hotnas_pkg::AccAddrBits-1:0] addr_i,
  input  logic                valid_i,
  input  logic                first_i,      // start from the bias (or the term alone, for a maximum)
  input  logic                last_i,       // the sum is complete with this term
  input  logic                reduce_max_i,
  input  logic signed [hotnas_pkg::SumBits-1:0] term_i,  // in the cycle after addr_i
  input  logic [31:0]         bias_i,       // signed; in the cycle after addr_i
  // drain
  input  logic                drain_half_i,
  input  logic [hotnas_pkg::AccAddrBits-1:0] drain_addr_i,
  output logic [hotnas_pkg::AccBits-1:0] drain_o         // one cycle later
);

  localparam int unsigned AccBits  = hotnas_pkg::AccBits;
  localparam int unsigned LutDepth = 64;  // up to this depth sdp_ram is LUT RAM: a half that is stays so

  logic                               half_q, valid_q, first_q, last_q, reduce_max_q;
  logic                               write_q, write_half_q, write_last_q;
  logic [hotnas_pkg::AccAddrBits-1:0] addr_q, write_addr_q;
  logic signed [AccBits-1:0]          old, term, sum_q;
  logic [AccBits-1:0]                 read;

  sdp_ram #(
    .Width (AccBits),
    .Depth (hotnas_pkg::OfmDepth)
  ) u_sums (
    .clk_i,
    .we_i    (write_q && !write_last_q),
    .waddr_i (write_addr_q),
    .wdata_i (sum_q),
    .raddr_i (addr_i),
    .rdata_o (read)
  );

  if (hotnas_pkg::OfmDepth <= LutDepth) begin : gen_two
    logic [AccBits-1:0] drained [2];
    logic               drain_half_q;
    for (genvar half = 0; half < 2; half++) begin : gen_half
      sdp_ram #(
        .Width (AccBits),
        .Depth (hotnas_pkg::OfmDepth)
      ) u_complete (
        .clk_i,
        .we_i    (write_q && write_last_q && (write_half_q == 1'(half))),
        .waddr_i (write_addr_q),
        .wdata_i (sum_q),
        .raddr_i (drain_addr_i),
        .rdata_o (drained[half])
      );
    end
    always_ff @(posedge clk_i) drain_half_q <= drain_half_i;
    assign drain_o = drain_half_q ? drained[1] : drained[0];
  end else begin : gen_one
    sdp_ram #(
      .Width (AccBits),
      .Depth (2 << hotnas_pkg::AccAddrBits)
    ) u_complete (
      .clk_i,
      .we_i    (write_q && write_last_q),
      .waddr_i ({write_half_q, write_addr_q}),
      .wdata_i (sum_q),
      .raddr_i ({drain_half_i, drain_addr_i}),
      .rdata_o (drain_o)
    );
  end

  assign old  = $signed(read);
  assign term = AccBits'(term_i);

  always_ff @(posedge clk_i) begin
    half_q       <= half_i;
    valid_q      <= valid_i;
    first_q      <= first_i;
    last_q       <= last_i;
    reduce_max_q <= reduce_max_i;
    addr_q       <= addr_i;

    write_q      <= valid_q;
    write_half_q <= half_q;
    write_last_q <= last_q;
    write_addr_q <= addr_q;
    if (reduce_max_q) sum_q <= (first_q || term > old) ? term : old;
    else sum_q <= (first_q ? AccBits'($signed(bias_i)) : old) + term;
  end

endmodule
