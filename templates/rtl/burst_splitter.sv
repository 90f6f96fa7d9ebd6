// Cuts runs (address, beats) into AXI bursts: at most MaxBurst beats, none across a 4 KiB boundary.
// One burst leaves per cycle, the first one cycle after its run is accepted.
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

  localparam int unsigned BeatBytes = DataBits / 8;
  localparam int unsigned BeatShift = $clog2(BeatBytes);
  localparam int unsigned PageBeats = 4096 / BeatBytes;
  localparam int unsigned PageBits  = $clog2(PageBeats);

  localparam int unsigned CountBits = $clog2(hotnas_pkg::MaxBurst + 1);

  // The burst offered, and what is left behind it. All is prepared in the cycle before: ready and address
  // reach their registers through a few gates.
  logic                 busy_q, last_q, page_end_q;  // last of the run; ends at the page's end
  logic [63:0]          addr_q;
  logic [CountBits-1:0] burst_q;  // beats
  logic [31:0]          rest_q;   // beats of the run behind it
  logic [PageBits:0]    page_q;   // beats of the page behind it, a whole page at its end
  logic                 accept, take_run, from_run;

  // The burst to come, the next one of this run [0] or the first one of a run [1]: both are worked out, and all
  // that could be left behind either, so that who is chosen passes a few gates.
  logic [31:0]          beats [2], rest [2];
  logic [PageBits:0]    page [2], page_rest [2];
  logic [CountBits-1:0] burst [2];
  logic                 last [2], page_end [2];

  assign from_run = !busy_q || last_q;
  assign beats[0] = rest_q;
  assign page[0]  = page_q;
  assign beats[1] = run_beats_i;
  assign page[1]  = (PageBits + 1)'(PageBeats) - {1'b0, run_addr_i[11:BeatShift]};
  for (genvar i = 0; i < 2; i++) begin : gen_burst
    logic long_run, long_page;
    assign long_run  = beats[i] >= 32'(hotnas_pkg::MaxBurst);
    assign long_page = 32'(page[i]) >= 32'(hotnas_pkg::MaxBurst);
    assign last[i]     = (!long_run || (beats[i] == 32'(hotnas_pkg::MaxBurst)))
                         && (long_page || (CountBits'(beats[i]) <= CountBits'(page[i])));
    assign page_end[i] = (!long_page || (32'(page[i]) == 32'(hotnas_pkg::MaxBurst)))
                         && (long_run || (CountBits'(page[i]) <= CountBits'(beats[i])));
    assign burst[i]     = last[i] ? CountBits'(beats[i])
                          : page_end[i] ? CountBits'(page[i]) : CountBits'(hotnas_pkg::MaxBurst);
    assign rest[i]      = last[i] ? '0 : page_end[i] ? beats[i] - 32'(page[i]) : beats[i] - 32'(hotnas_pkg::MaxBurst);
    assign page_rest[i] = page_end[i] ? (PageBits + 1)'(PageBeats)
                          : last[i] ? page[i] - (PageBits + 1)'(beats[i]) : page[i] - (PageBits + 1)'(hotnas_pkg::MaxBurst);
  end

  assign valid_o     = busy_q && enable_i;
  assign addr_o      = addr_q;
  assign len_o       = 8'(burst_q - 1'b1);
  assign accept      = valid_o && ready_i;
  assign run_ready_o = !drain_i && (!busy_q || (accept && last_q));
  assign take_run    = run_valid_i && run_ready_o;
  assign idle_o      = !busy_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) busy_q <= 1'b0;
    else if (drain_i) busy_q <= valid_o && !accept;
    else if (take_run || accept) busy_q <= take_run || !last_q;
  end

  // A burst stays within its page: above bit 11 the address moves by whole pages.
  always_ff @(posedge clk_i) begin
    if (take_run) begin
      addr_q <= run_addr_i;
    end else if (accept) begin
      addr_q[11:0]  <= addr_q[11:0] + (12'(burst_q) << BeatShift);
      addr_q[63:12] <= addr_q[63:12] + 52'(page_end_q);
    end
    if (take_run || accept) begin
      burst_q    <= burst[from_run];
      last_q     <= last[from_run];
      page_end_q <= page_end[from_run];
      rest_q     <= rest[from_run];
      page_q     <= page_rest[from_run];
    end
  end

endmodule
