// Cuts runs (address, beats) into AXI bursts, wherever a run meets a multiple of MaxBurst beats: so none is longer,
// and none crosses a 4 KiB boundary. One burst leaves per cycle, the first one cycle after its run is accepted.
module burst_splitter #(
  parameter int unsigned DataBits = 128
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        drain_i,      // runs are dropped; of the one in work nothing but the burst on offer
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

  localparam int unsigned BeatBytes  = DataBits / 8;
  localparam int unsigned BeatShift  = $clog2(BeatBytes);
  localparam int unsigned PageBeats  = 4096 / BeatBytes;
  localparam int unsigned BurstBeats = hotnas_pkg::MaxBurst < PageBeats ? hotnas_pkg::MaxBurst : PageBeats;
  localparam int unsigned BurstBits  = $clog2(BurstBeats);
  localparam int unsigned Boundary   = BeatShift + BurstBits;  // address bits below it

  // The burst offered, and what is left behind it. All is prepared in the cycle before: ready and address
  // reach their registers through a few gates.
  logic                    busy_q, last_q;  // last of the run
  logic [63:0]             addr_q;
  logic [BurstBits-1:0]    len_q, end_q;    // beats - 1, of this burst and of the run's last
  logic [31-BurstBits:0]   left_q;          // boundaries from here to where the run ends, that one included
  logic                    accept, take_run;

  // The first burst of a run, and the next one: both are worked out, so that who is chosen passes a few gates.
  // end_beat counts what is behind the run's last beat from the boundary before its first.
  logic [BurstBits-1:0]  first, less;  // less: beats - 1, in its low bits
  logic [31:0]           end_beat;
  logic                  single, next_last;

  assign first     = run_addr_i[BeatShift +: BurstBits];
  assign end_beat  = run_beats_i + 32'(first);
  assign next_last = (left_q == 1) || (left_q == 2 && end_q == '1);

  // The first burst's length comes late: borrow and carry of so few bits are gates, not a carry chain.
  always_comb begin
    logic borrow, carry;
    {borrow, carry} = 2'b10;
    for (int unsigned i = 0; i < BurstBits; i++) begin
      less[i] = run_beats_i[i] ^ borrow;
      borrow  = borrow && !run_beats_i[i];
      carry   = (first[i] && less[i]) || (carry && (first[i] || less[i]));
    end
    single = !carry && (run_beats_i[31:BurstBits] == (32 - BurstBits)'(borrow));
  end

  assign valid_o     = busy_q && enable_i;
  assign addr_o      = addr_q;
  assign len_o       = 8'(len_q);
  assign accept      = valid_o && ready_i;
  assign run_ready_o = !busy_q || (enable_i && ready_i && last_q);
  assign take_run    = run_valid_i && run_ready_o;
  assign idle_o      = !busy_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) busy_q <= 1'b0;
    else if (drain_i) busy_q <= valid_o && !accept;
    else if (take_run || accept) busy_q <= take_run || !last_q;
  end

  always_ff @(posedge clk_i) begin
    if (take_run) begin
      addr_q <= run_addr_i;
      len_q  <= single ? less : ~first;
      end_q  <= end_beat[BurstBits-1:0] - 1'b1;
      left_q <= end_beat[31:BurstBits];
      last_q <= single;
    end else if (accept) begin
      addr_q <= {addr_q[63:Boundary] + 1'b1, Boundary'(0)};
      len_q  <= next_last ? end_q : '1;
      left_q <= left_q - 1'b1;
      last_q <= next_last;
    end
  end

endmodule
