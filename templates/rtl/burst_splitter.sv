// Cuts runs (address, beats) into AXI bursts, wherever a run meets a multiple of MaxBurst beats: so none is longer,
// and none crosses a 4 KiB boundary. One burst leaves per cycle, the first one cycle after its run is accepted.
module burst_splitter #(
  parameter int unsigned DataBits = 128
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        drain_i,      // no more runs; of the one in work nothing but the burst on offer
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
  logic [31-BurstBits:0]   left_q;          // bursts behind this one
  logic                    accept, take_run;

  // The first burst of a run, and the next one: both are worked out, so that who is chosen passes a few gates.
  // first + beats - 1 counts the run's last beat from the boundary before it.
  logic [BurstBits-1:0]  first;
  logic [31:0]           last_beat;
  logic [BurstBits+1:0]  near_beat;  // the same of a run of less than two bursts
  logic                  single, next_last;

  assign first     = run_addr_i[BeatShift +: BurstBits];
  assign last_beat = run_beats_i + 32'(first) - 32'd1;
  assign near_beat = {1'b0, run_beats_i[BurstBits:0]} + (BurstBits + 2)'(first) - 1'b1;
  assign single    = (run_beats_i[31:BurstBits+1] == '0) && (near_beat[BurstBits+1:BurstBits] == '0);
  assign next_last = left_q == 1;

  logic unused;
  assign unused = ^near_beat[BurstBits-1:0];

  assign valid_o     = busy_q && enable_i;
  assign addr_o      = addr_q;
  assign len_o       = 8'(len_q);
  assign accept      = valid_o && ready_i;
  assign run_ready_o = !drain_i && (!busy_q || (accept && last_q));
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
      len_q  <= single ? BurstBits'(run_beats_i - 32'd1) : ~first;
      end_q  <= last_beat[BurstBits-1:0];
      left_q <= last_beat[31:BurstBits];
      last_q <= single;
    end else if (accept) begin
      addr_q <= {addr_q[63:Boundary] + 1'b1, Boundary'(0)};
      len_q  <= next_last ? end_q : '1;
      left_q <= left_q - 1'b1;
      last_q <= next_last;
    end
  end

endmodule
