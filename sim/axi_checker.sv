// Watches one AXI4 port of the accelerator: what was offered stays until it is taken, no burst crosses
// 4 KiB, WLAST closes each burst, no burst is longer than MaxBurst. Counts violations and prints each.
module axi_checker #(
  parameter string       Name     = "m_axi",
  parameter int unsigned DataBits = 128
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                arvalid_i,
  input  logic                arready_i,
  input  logic [63:0]         araddr_i,
  input  logic [7:0]          arlen_i,
  input  logic                rvalid_i,
  input  logic                rready_i,
  input  logic                rlast_i,
  input  logic                awvalid_i,
  input  logic                awready_i,
  input  logic [63:0]         awaddr_i,
  input  logic [7:0]          awlen_i,
  input  logic                wvalid_i,
  input  logic                wready_i,
  input  logic [DataBits-1:0] wdata_i,
  input  logic                wlast_i,
  input  logic                bvalid_i,
  input  logic                bready_i,
  output int                  violations_o
);

  localparam int unsigned Bytes = DataBits / 8;

  function automatic logic crosses(input logic [63:0] address, input logic [7:0] len);
    return 32'(address[11:0]) + (32'(len) + 1) * Bytes > 4096;
  endfunction

  task automatic report(input logic broken, input string rule);
    if (broken) begin
      violations_o <= violations_o + 1;
      $display("AXI %s at %0t: %s", Name, $time, rule);
    end
  endtask

  logic        ar_held_q, aw_held_q, w_held_q, wlast_q;
  logic [63:0] araddr_q, awaddr_q;
  logic [7:0]  arlen_q, awlen_q;
  logic [DataBits-1:0] wdata_q;
  int          bursts [$];
  int          beat_q, reads_q, writes_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      {ar_held_q, aw_held_q, w_held_q} <= '0;
      violations_o <= 0;
      beat_q       <= 0;
      reads_q      <= 0;
      writes_q     <= 0;
      bursts.delete();
    end else begin
      ar_held_q <= arvalid_i && !arready_i;
      aw_held_q <= awvalid_i && !awready_i;
      w_held_q  <= wvalid_i && !wready_i;
      {araddr_q, arlen_q, awaddr_q, awlen_q, wdata_q, wlast_q} <=
          {araddr_i, arlen_i, awaddr_i, awlen_i, wdata_i, wlast_i};

      report(ar_held_q && (!arvalid_i || araddr_i != araddr_q || arlen_i != arlen_q),
             "ARVALID, ARADDR and ARLEN must stay until ARREADY");
      report(aw_held_q && (!awvalid_i || awaddr_i != awaddr_q || awlen_i != awlen_q),
             "AWVALID, AWADDR and AWLEN must stay until AWREADY");
      report(w_held_q && (!wvalid_i || wdata_i != wdata_q || wlast_i != wlast_q),
             "WVALID, WDATA and WLAST must stay until WREADY");
      report(arvalid_i && crosses(araddr_i, arlen_i), "a read burst crosses 4 KiB");
      report(awvalid_i && crosses(awaddr_i, awlen_i), "a write burst crosses 4 KiB");
      report(arvalid_i && (araddr_i % 64'(Bytes)) != '0, "ARADDR is not aligned to a beat");
      report(awvalid_i && (awaddr_i % 64'(Bytes)) != '0, "AWADDR is not aligned to a beat");
      report(arvalid_i && 32'(arlen_i) >= hotnas_pkg::MaxBurst, "a read burst is longer than MaxBurst");
      report(awvalid_i && 32'(awlen_i) >= hotnas_pkg::MaxBurst, "a write burst is longer than MaxBurst");

      reads_q  <= reads_q + int'(arvalid_i && arready_i) - int'(rvalid_i && rready_i && rlast_i);
      writes_q <= writes_q + int'(awvalid_i && awready_i) - int'(bvalid_i && bready_i);
      report(reads_q > int'(hotnas_pkg::Outstanding), "more read bursts in flight than Outstanding");
      report(writes_q > int'(hotnas_pkg::Outstanding), "more write bursts in flight than Outstanding");

      if (awvalid_i && awready_i) bursts.push_back(int'(awlen_i) + 1);
      if (wvalid_i && wready_i) begin
        if (bursts.size() == 0) report(1'b1, "write data before its address");
        else begin
          report(wlast_i != (beat_q == bursts[0] - 1), "WLAST is not on the last beat of its burst");
          if (wlast_i) void'(bursts.pop_front());
        end
        beat_q <= wlast_i ? 0 : beat_q + 1;
      end
    end
  end

endmodule
