// Watches one AXI4 port of the accelerator. Counts violations and prints each. The rules:
//   VALID, once high, stays until READY, and all that goes with it stays the same, on all five channels;
//   no VALID of the accelerator is high in reset;
//   bursts are INCR, of whole beats, aligned to a beat, at most MaxBurst beats, none across 4 KiB, at most
//   Outstanding in flight;
//   write data come in the order of their addresses, before or after them; WLAST closes each burst and
//   nothing else, every strobe is set;
//   read data belong to a burst that was asked for, RLAST closes each and nothing else;
//   a write is answered once, after its address and its last beat;
//   when the run has ended, nothing is in flight.
module axi_checker #(
  parameter string       Name     = "m_axi",
  parameter int unsigned DataBits = 128
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic                  ended_i,    // rises when a run has ended: the interrupt
  input  logic                  arvalid_i,
  input  logic                  arready_i,
  input  logic [63:0]           araddr_i,
  input  logic [7:0]            arlen_i,
  input  logic [2:0]            arsize_i,
  input  logic [1:0]            arburst_i,
  input  logic                  rvalid_i,
  input  logic                  rready_i,
  input  logic [DataBits-1:0]   rdata_i,
  input  logic [1:0]            rresp_i,
  input  logic                  rlast_i,
  input  logic                  awvalid_i,
  input  logic                  awready_i,
  input  logic [63:0]           awaddr_i,
  input  logic [7:0]            awlen_i,
  input  logic [2:0]            awsize_i,
  input  logic [1:0]            awburst_i,
  input  logic                  wvalid_i,
  input  logic                  wready_i,
  input  logic [DataBits-1:0]   wdata_i,
  input  logic [DataBits/8-1:0] wstrb_i,
  input  logic                  wlast_i,
  input  logic                  bvalid_i,
  input  logic                  bready_i,
  input  logic [1:0]            bresp_i,
  output int                    violations_o
);

  localparam int unsigned Bytes = DataBits / 8;
  localparam logic [2:0]  Size  = 3'($clog2(Bytes));
  localparam logic [1:0]  Incr  = 2'b01;

  int found_q = 0;  // outlives a reset
  assign violations_o = found_q;

  task automatic report(input logic broken, input string rule);
    if (broken) begin
      found_q <= found_q + 1;
      $display("AXI %s at %0t: %s", Name, $time, rule);
    end
  endtask

  function automatic logic crosses(input logic [63:0] address, input logic [7:0] len);
    return 32'(address[11:0]) + (32'(len) + 1) * Bytes > 4096;
  endfunction

  task automatic check_address(input logic [63:0] address, input logic [7:0] len, input logic [2:0] size,
                               input logic [1:0] burst, input string channel);
    report(crosses(address, len), {channel, ": a burst crosses 4 KiB"});
    report(address % 64'(Bytes) != '0, {channel, ": the address is not aligned to a beat"});
    report(32'(len) >= hotnas_pkg::MaxBurst, {channel, ": a burst is longer than MaxBurst"});
    report(size != Size, {channel, ": beats are not as wide as the port"});
    report(burst != Incr, {channel, ": a burst is not INCR"});
  endtask

  // ---------------------------------------------------------------- what was offered stays
  logic [76:0]         ar, ar_q, aw, aw_q;
  logic [DataBits+2:0] r, r_q;
  logic [DataBits+Bytes:0] w, w_q;
  logic [1:0]          b_q;
  logic                ar_held_q, aw_held_q, w_held_q, r_held_q, b_held_q;
  logic                reset_q = 1'b0;  // the edge before saw the reset
  logic                ended_q = 1'b0;  // the run had ended before
  assign ar = {araddr_i, arlen_i, arsize_i, arburst_i};
  assign aw = {awaddr_i, awlen_i, awsize_i, awburst_i};
  assign r  = {rdata_i, rresp_i, rlast_i};
  assign w  = {wdata_i, wstrb_i, wlast_i};

  always_ff @(posedge clk_i) begin
    {ar_q, aw_q, r_q, w_q, b_q} <= {ar, aw, r, w, bresp_i};
    reset_q   <= !rst_ni;
    ended_q   <= ended_i;
    ar_held_q <= rst_ni && arvalid_i && !arready_i;
    aw_held_q <= rst_ni && awvalid_i && !awready_i;
    w_held_q  <= rst_ni && wvalid_i && !wready_i;
    r_held_q  <= rst_ni && rvalid_i && !rready_i;
    b_held_q  <= rst_ni && bvalid_i && !bready_i;
    if (rst_ni) begin
      report(ar_held_q && (!arvalid_i || ar != ar_q), "AR must stay until ARREADY");
      report(aw_held_q && (!awvalid_i || aw != aw_q), "AW must stay until AWREADY");
      report(w_held_q && (!wvalid_i || w != w_q), "W must stay until WREADY");
      report(r_held_q && (!rvalid_i || r != r_q), "R must stay until RREADY");
      report(b_held_q && (!bvalid_i || bresp_i != b_q), "B must stay until BREADY");
    end
    report(!rst_ni && reset_q && (arvalid_i || awvalid_i || wvalid_i), "a VALID is high in reset");
  end

  // ---------------------------------------------------------------- bursts and their beats
  int reads [$], writes [$];          // beats of the bursts asked for, oldest first
  int written [$];                    // beats of the bursts whose data is out and whose address is not
  int read_beat_q, write_beat_q;      // of the oldest one
  int reading_q, writing_q, unanswered_q;  // bursts without their last beat, or answer
  logic whole;                        // a burst has both its address and its data now

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      reads.delete();
      writes.delete();
      written.delete();
      {read_beat_q, write_beat_q, reading_q, writing_q, unanswered_q} <= '0;
    end else begin
      if (arvalid_i) check_address(araddr_i, arlen_i, arsize_i, arburst_i, "AR");
      if (awvalid_i) check_address(awaddr_i, awlen_i, awsize_i, awburst_i, "AW");

      if (rvalid_i && rready_i) begin
        if (reads.size() == 0) report(1'b1, "R: data that nobody asked for");
        else begin
          report(rlast_i != (read_beat_q == reads[0] - 1), "R: RLAST is not on the last beat of its burst");
          if (rlast_i) void'(reads.pop_front());
        end
        read_beat_q <= rlast_i ? 0 : read_beat_q + 1;
      end
      if (arvalid_i && arready_i) reads.push_back(int'(arlen_i) + 1);

      if (awvalid_i && awready_i) writes.push_back(int'(awlen_i) + 1);
      if (wvalid_i && wready_i) begin
        report(wstrb_i != '1, "W: a strobe is not set");
        report(writes.size() != 0 && !wlast_i && write_beat_q >= writes[0] - 1,
               "W: more beats than the burst has");
        if (wlast_i) written.push_back(write_beat_q + 1);
        write_beat_q <= wlast_i ? 0 : write_beat_q + 1;
      end
      whole = writes.size() != 0 && written.size() != 0;
      if (whole) report(writes.pop_front() != written.pop_front(), "W: WLAST is not on the last beat of its burst");
      report(bvalid_i && unanswered_q == 0, "B: an answer to nothing");

      reading_q    <= reading_q + int'(arvalid_i && arready_i) - int'(rvalid_i && rready_i && rlast_i);
      writing_q    <= writing_q + int'(awvalid_i && awready_i) - int'(bvalid_i && bready_i);
      unanswered_q <= unanswered_q + int'(whole) - int'(bvalid_i && bready_i);
      report(reading_q > int'(hotnas_pkg::Outstanding), "AR: more bursts in flight than Outstanding");
      report(writing_q > int'(hotnas_pkg::Outstanding), "AW: more bursts in flight than Outstanding");
      report(ended_i && !ended_q && (arvalid_i || awvalid_i || reading_q != 0 || writing_q != 0),
             "a burst is in flight, but the run has ended");
    end
  end

endmodule
