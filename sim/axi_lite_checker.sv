// Watches the register port: what was offered stays until it is taken, every request is answered once, with
// OKAY, and nothing is answered that was not asked for.
module axi_lite_checker (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        awvalid_i,
  input  logic        awready_i,
  input  logic        wvalid_i,
  input  logic        wready_i,
  input  logic        bvalid_i,
  input  logic        bready_i,
  input  logic [1:0]  bresp_i,
  input  logic        arvalid_i,
  input  logic        arready_i,
  input  logic        rvalid_i,
  input  logic        rready_i,
  input  logic [31:0] rdata_i,
  input  logic [1:0]  rresp_i,
  output int          violations_o
);

  int found_q = 0;  // outlives a reset
  assign violations_o = found_q;

  task automatic report(input logic broken, input string rule);
    if (broken) begin
      found_q <= found_q + 1;
      $display("AXI s_axi_control at %0t: %s", $time, rule);
    end
  endtask

  logic        r_held_q, b_held_q, reset_q = 1'b0;
  logic [33:0] r_q;
  logic [1:0]  b_q;
  int          addresses_q, data_q, reads_q;  // taken and not yet answered

  always_ff @(posedge clk_i) begin
    reset_q  <= !rst_ni;
    r_held_q <= rst_ni && rvalid_i && !rready_i;
    b_held_q <= rst_ni && bvalid_i && !bready_i;
    r_q      <= {rdata_i, rresp_i};
    b_q      <= bresp_i;
    report(!rst_ni && reset_q && (rvalid_i || bvalid_i), "a VALID is high in reset");
    if (!rst_ni) begin
      {addresses_q, data_q, reads_q} <= '0;
    end else begin
      addresses_q <= addresses_q + int'(awvalid_i && awready_i) - int'(bvalid_i && bready_i);
      data_q      <= data_q + int'(wvalid_i && wready_i) - int'(bvalid_i && bready_i);
      reads_q     <= reads_q + int'(arvalid_i && arready_i) - int'(rvalid_i && rready_i);
      report(r_held_q && (!rvalid_i || {rdata_i, rresp_i} != r_q), "R must stay until RREADY");
      report(b_held_q && (!bvalid_i || bresp_i != b_q), "B must stay until BREADY");
      report(bvalid_i && (addresses_q == 0 || data_q == 0), "B: an answer to nothing");
      report(rvalid_i && reads_q == 0, "R: data that nobody asked for");
      report((bvalid_i && bresp_i != '0) || (rvalid_i && rresp_i != '0), "an answer is not OKAY");
    end
  end

endmodule
