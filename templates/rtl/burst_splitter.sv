// Cuts runs (address, beats) into AXI bursts: at most MaxBurst beats, none across a 4 KiB boundary.
// One burst leaves per cycle, the first one cycle after its run is accepted.
module burst_splitter #(
  parameter int unsigned DataBits = 128
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  // runs
  input  logic        run_valid_i,
  output logic        run_ready_o,
  input  logic [63:0] run_addr_i,   // byte address, aligned to a beat
  input  logic [31:0] run_beats_i,  // at least 1
  // bursts; enable_i may only fall in a cycle in which a burst is accepted
  input  logic        enable_i,
  output logic        valid_o,
  input  logic        ready_i,
  output logic [63:0] addr_o,
  output logic [7:0]  len_o,        // beats - 1, as AxLEN
  output logic        idle_o        // no run is being cut
);

  localparam int unsigned BeatBytes = DataBits / 8;
  localparam int unsigned BeatShift = $clog2(BeatBytes);
  localparam int unsigned PageBeats = 4096 / BeatBytes;
  localparam int unsigned PageBits  = $clog2(PageBeats);

  logic [63:0]       addr_q;
  logic [31:0]       left_q;
  logic [PageBits:0] page_left;
  logic [31:0]       burst;
  logic              accept, last;

  assign page_left = (PageBits + 1)'(PageBeats) - {1'b0, addr_q[11:BeatShift]};

  always_comb begin
    burst = left_q;
    if (burst > 32'(page_left)) burst = 32'(page_left);
    if (burst > 32'(hotnas_pkg::MaxBurst)) burst = 32'(hotnas_pkg::MaxBurst);
  end

  assign valid_o     = (left_q != '0) && enable_i;
  assign addr_o      = addr_q;
  assign len_o       = 8'(burst - 1);
  assign accept      = valid_o && ready_i;
  assign last        = burst == left_q;
  assign run_ready_o = (left_q == '0) || (accept && last);
  assign idle_o      = left_q == '0;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      addr_q <= '0;
      left_q <= '0;
    end else if (run_valid_i && run_ready_o) begin
      addr_q <= run_addr_i;
      left_q <= run_beats_i;
    end else if (accept) begin
      addr_q <= addr_q + (64'(burst) << BeatShift);
      left_q <= left_q - burst;
    end
  end

endmodule
