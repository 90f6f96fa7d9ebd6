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

  // The burst to come: the first one of a run, or the next one of this run.
  logic [31:0]          beats;
  logic [PageBits:0]    page;
  logic [CountBits-1:0] burst;
  logic                 long_run, long_page, last, page_end;

  assign from_run = !busy_q || last_q;
  assign beats    = from_run ? run_beats_i : rest_q;
  assign page     = from_run ? (PageBits + 1)'(PageBeats) - {1'b0, run_addr_i[11:BeatShift]} : page_q;
  assign long_run  = beats >= 32'(hotnas_pkg::MaxBurst);
  assign long_page = 32'(page) >= 32'(hotnas_pkg::MaxBurst);
  assign last      = (!long_run || (beats == 32'(hotnas_pkg::MaxBurst)))
                     && (long_page || (CountBits'(beats) <= CountBits'(page)));
  assign page_end  = (!long_page || (32'(page) == 32'(hotnas_pkg::MaxBurst)))
                     && (long_run || (CountBits'(page) <= CountBits'(beats)));
  always_comb begin
    if (last) burst = CountBits'(beats);
    else if (page_end) burst = CountBits'(page);
    else burst = CountBits'(hotnas_pkg::MaxBurst);
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
      burst_q    <= burst;
      last_q     <= last;
      page_end_q <= page_end;
      rest_q     <= beats - 32'(burst);
      page_q     <= page_end ? (PageBits + 1)'(PageBeats) : page - (PageBits + 1)'(burst);
    end
  end

endmodule
