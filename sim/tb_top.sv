// The accelerator between a register bus driven by cocotb and three ports of one simulated memory.
// The clock runs here, so that a long inference needs no Python per cycle.
module tb_top (
  input  logic        rst_n,
  input  int          read_latency_i,
  input  int          write_latency_i,
  input  int          stall_i,        // chance of a stall in 256
  input  int          error_port_i,   // 0 none, 1 ifm, 2 wgt, 3 ofm
  input  logic [63:0] error_page_i,
  input  logic        error_decode_i, // it answers with DECERR, not with SLVERR
  // when command_i changes: 1 loads, 2 dumps the file `<+dir>/<file_i>.bin`, 3 makes it the DRAM's numbers
  input  int          command_i,
  input  int          region_i,
  input  int          file_i,
  input  longint      offset_i,
  output int          command_ok_o,
  output int          violations_o,
  output logic        clk,
  output logic        interrupt,
  input  logic        s_axi_control_AWVALID,
  output logic        s_axi_control_AWREADY,
  input  logic [hotnas_pkg::ControlAddrBits-1:0] s_axi_control_AWADDR,
  input  logic        s_axi_control_WVALID,
  output logic        s_axi_control_WREADY,
  input  logic [31:0] s_axi_control_WDATA,
  input  logic [3:0]  s_axi_control_WSTRB,
  output logic        s_axi_control_BVALID,
  input  logic        s_axi_control_BREADY,
  output logic [1:0]  s_axi_control_BRESP,
  input  logic        s_axi_control_ARVALID,
  output logic        s_axi_control_ARREADY,
  input  logic [hotnas_pkg::ControlAddrBits-1:0] s_axi_control_ARADDR,
  output logic        s_axi_control_RVALID,
  input  logic        s_axi_control_RREADY,
  output logic [31:0] s_axi_control_RDATA,
  output logic [1:0]  s_axi_control_RRESP
);

  initial begin
    clk = 1'b0;
    forever #1ns clk = !clk;
  end

  string dir, path;
  initial begin
    if (!$value$plusargs("dir=%s", dir)) dir = ".";
  end

  always @(command_i) begin
    $sformat(path, "%s/%0d.bin", dir, file_i);
    if (command_i == 1) command_ok_o = dram_pkg::dram_load(region_i, offset_i, path);
    if (command_i == 2) command_ok_o = dram_pkg::dram_dump(region_i, path);
    if (command_i == 3) command_ok_o = dram_pkg::dram_configure(path);
  end

  int violations [4];
  assign violations_o = violations[0] + violations[1] + violations[2] + violations[3]
                        + dram_pkg::dram_stray_writes();

  logic ifm_AWVALID;
  logic ifm_AWREADY;
  logic [63:0] ifm_AWADDR;
  logic ifm_AWID;
  logic [7:0] ifm_AWLEN;
  logic [2:0] ifm_AWSIZE;
  logic [1:0] ifm_AWBURST;
  logic [1:0] ifm_AWLOCK;
  logic [3:0] ifm_AWCACHE;
  logic [2:0] ifm_AWPROT;
  logic [3:0] ifm_AWQOS;
  logic [3:0] ifm_AWREGION;
  logic ifm_WVALID;
  logic ifm_WREADY;
  logic [hotnas_pkg::IfmPortBits-1:0] ifm_WDATA;
  logic [hotnas_pkg::IfmPortBits/8-1:0] ifm_WSTRB;
  logic ifm_WLAST;
  logic ifm_BVALID;
  logic ifm_BREADY;
  logic [1:0] ifm_BRESP;
  logic ifm_BID;
  logic ifm_ARVALID;
  logic ifm_ARREADY;
  logic [63:0] ifm_ARADDR;
  logic ifm_ARID;
  logic [7:0] ifm_ARLEN;
  logic [2:0] ifm_ARSIZE;
  logic [1:0] ifm_ARBURST;
  logic [1:0] ifm_ARLOCK;
  logic [3:0] ifm_ARCACHE;
  logic [2:0] ifm_ARPROT;
  logic [3:0] ifm_ARQOS;
  logic [3:0] ifm_ARREGION;
  logic ifm_RVALID;
  logic ifm_RREADY;
  logic [hotnas_pkg::IfmPortBits-1:0] ifm_RDATA;
  logic ifm_RLAST;
  logic ifm_RID;
  logic [1:0] ifm_RRESP;
  assign ifm_RID = 1'b0;
  assign ifm_BID = 1'b0;
  logic wgt_AWVALID;
  logic wgt_AWREADY;
  logic [63:0] wgt_AWADDR;
  logic wgt_AWID;
  logic [7:0] wgt_AWLEN;
  logic [2:0] wgt_AWSIZE;
  logic [1:0] wgt_AWBURST;
  logic [1:0] wgt_AWLOCK;
  logic [3:0] wgt_AWCACHE;
  logic [2:0] wgt_AWPROT;
  logic [3:0] wgt_AWQOS;
  logic [3:0] wgt_AWREGION;
  logic wgt_WVALID;
  logic wgt_WREADY;
  logic [hotnas_pkg::WgtPortBits-1:0] wgt_WDATA;
  logic [hotnas_pkg::WgtPortBits/8-1:0] wgt_WSTRB;
  logic wgt_WLAST;
  logic wgt_BVALID;
  logic wgt_BREADY;
  logic [1:0] wgt_BRESP;
  logic wgt_BID;
  logic wgt_ARVALID;
  logic wgt_ARREADY;
  logic [63:0] wgt_ARADDR;
  logic wgt_ARID;
  logic [7:0] wgt_ARLEN;
  logic [2:0] wgt_ARSIZE;
  logic [1:0] wgt_ARBURST;
  logic [1:0] wgt_ARLOCK;
  logic [3:0] wgt_ARCACHE;
  logic [2:0] wgt_ARPROT;
  logic [3:0] wgt_ARQOS;
  logic [3:0] wgt_ARREGION;
  logic wgt_RVALID;
  logic wgt_RREADY;
  logic [hotnas_pkg::WgtPortBits-1:0] wgt_RDATA;
  logic wgt_RLAST;
  logic wgt_RID;
  logic [1:0] wgt_RRESP;
  assign wgt_RID = 1'b0;
  assign wgt_BID = 1'b0;
  logic ofm_AWVALID;
  logic ofm_AWREADY;
  logic [63:0] ofm_AWADDR;
  logic ofm_AWID;
  logic [7:0] ofm_AWLEN;
  logic [2:0] ofm_AWSIZE;
  logic [1:0] ofm_AWBURST;
  logic [1:0] ofm_AWLOCK;
  logic [3:0] ofm_AWCACHE;
  logic [2:0] ofm_AWPROT;
  logic [3:0] ofm_AWQOS;
  logic [3:0] ofm_AWREGION;
  logic ofm_WVALID;
  logic ofm_WREADY;
  logic [hotnas_pkg::OfmPortBits-1:0] ofm_WDATA;
  logic [hotnas_pkg::OfmPortBits/8-1:0] ofm_WSTRB;
  logic ofm_WLAST;
  logic ofm_BVALID;
  logic ofm_BREADY;
  logic [1:0] ofm_BRESP;
  logic ofm_BID;
  logic ofm_ARVALID;
  logic ofm_ARREADY;
  logic [63:0] ofm_ARADDR;
  logic ofm_ARID;
  logic [7:0] ofm_ARLEN;
  logic [2:0] ofm_ARSIZE;
  logic [1:0] ofm_ARBURST;
  logic [1:0] ofm_ARLOCK;
  logic [3:0] ofm_ARCACHE;
  logic [2:0] ofm_ARPROT;
  logic [3:0] ofm_ARQOS;
  logic [3:0] ofm_ARREGION;
  logic ofm_RVALID;
  logic ofm_RREADY;
  logic [hotnas_pkg::OfmPortBits-1:0] ofm_RDATA;
  logic ofm_RLAST;
  logic ofm_RID;
  logic [1:0] ofm_RRESP;
  assign ofm_RID = 1'b0;
  assign ofm_BID = 1'b0;

  hotnas_accel u_dut (
    .ap_clk (clk),
    .ap_rst_n (rst_n),
    .interrupt (interrupt),
    .s_axi_control_AWVALID (s_axi_control_AWVALID),
    .s_axi_control_AWREADY (s_axi_control_AWREADY),
    .s_axi_control_AWADDR (s_axi_control_AWADDR),
    .s_axi_control_WVALID (s_axi_control_WVALID),
    .s_axi_control_WREADY (s_axi_control_WREADY),
    .s_axi_control_WDATA (s_axi_control_WDATA),
    .s_axi_control_WSTRB (s_axi_control_WSTRB),
    .s_axi_control_BVALID (s_axi_control_BVALID),
    .s_axi_control_BREADY (s_axi_control_BREADY),
    .s_axi_control_BRESP (s_axi_control_BRESP),
    .s_axi_control_ARVALID (s_axi_control_ARVALID),
    .s_axi_control_ARREADY (s_axi_control_ARREADY),
    .s_axi_control_ARADDR (s_axi_control_ARADDR),
    .s_axi_control_RVALID (s_axi_control_RVALID),
    .s_axi_control_RREADY (s_axi_control_RREADY),
    .s_axi_control_RDATA (s_axi_control_RDATA),
    .s_axi_control_RRESP (s_axi_control_RRESP),
    .m_axi_ifm_AWVALID (ifm_AWVALID),
    .m_axi_ifm_AWREADY (ifm_AWREADY),
    .m_axi_ifm_AWADDR (ifm_AWADDR),
    .m_axi_ifm_AWID (ifm_AWID),
    .m_axi_ifm_AWLEN (ifm_AWLEN),
    .m_axi_ifm_AWSIZE (ifm_AWSIZE),
    .m_axi_ifm_AWBURST (ifm_AWBURST),
    .m_axi_ifm_AWLOCK (ifm_AWLOCK),
    .m_axi_ifm_AWCACHE (ifm_AWCACHE),
    .m_axi_ifm_AWPROT (ifm_AWPROT),
    .m_axi_ifm_AWQOS (ifm_AWQOS),
    .m_axi_ifm_AWREGION (ifm_AWREGION),
    .m_axi_ifm_WVALID (ifm_WVALID),
    .m_axi_ifm_WREADY (ifm_WREADY),
    .m_axi_ifm_WDATA (ifm_WDATA),
    .m_axi_ifm_WSTRB (ifm_WSTRB),
    .m_axi_ifm_WLAST (ifm_WLAST),
    .m_axi_ifm_BVALID (ifm_BVALID),
    .m_axi_ifm_BREADY (ifm_BREADY),
    .m_axi_ifm_BRESP (ifm_BRESP),
    .m_axi_ifm_BID (ifm_BID),
    .m_axi_ifm_ARVALID (ifm_ARVALID),
    .m_axi_ifm_ARREADY (ifm_ARREADY),
    .m_axi_ifm_ARADDR (ifm_ARADDR),
    .m_axi_ifm_ARID (ifm_ARID),
    .m_axi_ifm_ARLEN (ifm_ARLEN),
    .m_axi_ifm_ARSIZE (ifm_ARSIZE),
    .m_axi_ifm_ARBURST (ifm_ARBURST),
    .m_axi_ifm_ARLOCK (ifm_ARLOCK),
    .m_axi_ifm_ARCACHE (ifm_ARCACHE),
    .m_axi_ifm_ARPROT (ifm_ARPROT),
    .m_axi_ifm_ARQOS (ifm_ARQOS),
    .m_axi_ifm_ARREGION (ifm_ARREGION),
    .m_axi_ifm_RVALID (ifm_RVALID),
    .m_axi_ifm_RREADY (ifm_RREADY),
    .m_axi_ifm_RDATA (ifm_RDATA),
    .m_axi_ifm_RLAST (ifm_RLAST),
    .m_axi_ifm_RID (ifm_RID),
    .m_axi_ifm_RRESP (ifm_RRESP),
    .m_axi_wgt_AWVALID (wgt_AWVALID),
    .m_axi_wgt_AWREADY (wgt_AWREADY),
    .m_axi_wgt_AWADDR (wgt_AWADDR),
    .m_axi_wgt_AWID (wgt_AWID),
    .m_axi_wgt_AWLEN (wgt_AWLEN),
    .m_axi_wgt_AWSIZE (wgt_AWSIZE),
    .m_axi_wgt_AWBURST (wgt_AWBURST),
    .m_axi_wgt_AWLOCK (wgt_AWLOCK),
    .m_axi_wgt_AWCACHE (wgt_AWCACHE),
    .m_axi_wgt_AWPROT (wgt_AWPROT),
    .m_axi_wgt_AWQOS (wgt_AWQOS),
    .m_axi_wgt_AWREGION (wgt_AWREGION),
    .m_axi_wgt_WVALID (wgt_WVALID),
    .m_axi_wgt_WREADY (wgt_WREADY),
    .m_axi_wgt_WDATA (wgt_WDATA),
    .m_axi_wgt_WSTRB (wgt_WSTRB),
    .m_axi_wgt_WLAST (wgt_WLAST),
    .m_axi_wgt_BVALID (wgt_BVALID),
    .m_axi_wgt_BREADY (wgt_BREADY),
    .m_axi_wgt_BRESP (wgt_BRESP),
    .m_axi_wgt_BID (wgt_BID),
    .m_axi_wgt_ARVALID (wgt_ARVALID),
    .m_axi_wgt_ARREADY (wgt_ARREADY),
    .m_axi_wgt_ARADDR (wgt_ARADDR),
    .m_axi_wgt_ARID (wgt_ARID),
    .m_axi_wgt_ARLEN (wgt_ARLEN),
    .m_axi_wgt_ARSIZE (wgt_ARSIZE),
    .m_axi_wgt_ARBURST (wgt_ARBURST),
    .m_axi_wgt_ARLOCK (wgt_ARLOCK),
    .m_axi_wgt_ARCACHE (wgt_ARCACHE),
    .m_axi_wgt_ARPROT (wgt_ARPROT),
    .m_axi_wgt_ARQOS (wgt_ARQOS),
    .m_axi_wgt_ARREGION (wgt_ARREGION),
    .m_axi_wgt_RVALID (wgt_RVALID),
    .m_axi_wgt_RREADY (wgt_RREADY),
    .m_axi_wgt_RDATA (wgt_RDATA),
    .m_axi_wgt_RLAST (wgt_RLAST),
    .m_axi_wgt_RID (wgt_RID),
    .m_axi_wgt_RRESP (wgt_RRESP),
    .m_axi_ofm_AWVALID (ofm_AWVALID),
    .m_axi_ofm_AWREADY (ofm_AWREADY),
    .m_axi_ofm_AWADDR (ofm_AWADDR),
    .m_axi_ofm_AWID (ofm_AWID),
    .m_axi_ofm_AWLEN (ofm_AWLEN),
    .m_axi_ofm_AWSIZE (ofm_AWSIZE),
    .m_axi_ofm_AWBURST (ofm_AWBURST),
    .m_axi_ofm_AWLOCK (ofm_AWLOCK),
    .m_axi_ofm_AWCACHE (ofm_AWCACHE),
    .m_axi_ofm_AWPROT (ofm_AWPROT),
    .m_axi_ofm_AWQOS (ofm_AWQOS),
    .m_axi_ofm_AWREGION (ofm_AWREGION),
    .m_axi_ofm_WVALID (ofm_WVALID),
    .m_axi_ofm_WREADY (ofm_WREADY),
    .m_axi_ofm_WDATA (ofm_WDATA),
    .m_axi_ofm_WSTRB (ofm_WSTRB),
    .m_axi_ofm_WLAST (ofm_WLAST),
    .m_axi_ofm_BVALID (ofm_BVALID),
    .m_axi_ofm_BREADY (ofm_BREADY),
    .m_axi_ofm_BRESP (ofm_BRESP),
    .m_axi_ofm_BID (ofm_BID),
    .m_axi_ofm_ARVALID (ofm_ARVALID),
    .m_axi_ofm_ARREADY (ofm_ARREADY),
    .m_axi_ofm_ARADDR (ofm_ARADDR),
    .m_axi_ofm_ARID (ofm_ARID),
    .m_axi_ofm_ARLEN (ofm_ARLEN),
    .m_axi_ofm_ARSIZE (ofm_ARSIZE),
    .m_axi_ofm_ARBURST (ofm_ARBURST),
    .m_axi_ofm_ARLOCK (ofm_ARLOCK),
    .m_axi_ofm_ARCACHE (ofm_ARCACHE),
    .m_axi_ofm_ARPROT (ofm_ARPROT),
    .m_axi_ofm_ARQOS (ofm_ARQOS),
    .m_axi_ofm_ARREGION (ofm_ARREGION),
    .m_axi_ofm_RVALID (ofm_RVALID),
    .m_axi_ofm_RREADY (ofm_RREADY),
    .m_axi_ofm_RDATA (ofm_RDATA),
    .m_axi_ofm_RLAST (ofm_RLAST),
    .m_axi_ofm_RID (ofm_RID),
    .m_axi_ofm_RRESP (ofm_RRESP)
  );

  axi_lite_checker u_control_checker (
    .clk_i (clk), .rst_ni (rst_n),
    .awvalid_i (s_axi_control_AWVALID), .awready_i (s_axi_control_AWREADY),
    .wvalid_i (s_axi_control_WVALID), .wready_i (s_axi_control_WREADY),
    .bvalid_i (s_axi_control_BVALID), .bready_i (s_axi_control_BREADY), .bresp_i (s_axi_control_BRESP),
    .arvalid_i (s_axi_control_ARVALID), .arready_i (s_axi_control_ARREADY),
    .rvalid_i (s_axi_control_RVALID), .rready_i (s_axi_control_RREADY), .rdata_i (s_axi_control_RDATA),
    .rresp_i (s_axi_control_RRESP), .violations_o (violations[3])
  );

  axi_memory #(.DataBits(hotnas_pkg::IfmPortBits), .Port(0)) u_ifm_memory (
    .clk_i (clk), .rst_ni (rst_n), .read_latency_i, .write_latency_i, .stall_i,
    .error_i (error_port_i == 1), .error_page_i, .error_decode_i,
    .arvalid_i (ifm_ARVALID), .arready_o (ifm_ARREADY), .araddr_i (ifm_ARADDR), .arlen_i (ifm_ARLEN),
    .rvalid_o (ifm_RVALID), .rready_i (ifm_RREADY), .rdata_o (ifm_RDATA), .rresp_o (ifm_RRESP),
    .rlast_o (ifm_RLAST),
    .awvalid_i (ifm_AWVALID), .awready_o (ifm_AWREADY), .awaddr_i (ifm_AWADDR), .awlen_i (ifm_AWLEN),
    .wvalid_i (ifm_WVALID), .wready_o (ifm_WREADY), .wdata_i (ifm_WDATA), .wlast_i (ifm_WLAST),
    .bvalid_o (ifm_BVALID), .bready_i (ifm_BREADY), .bresp_o (ifm_BRESP)
  );
  axi_checker #(.Name("m_axi_ifm"), .DataBits(hotnas_pkg::IfmPortBits)) u_ifm_checker (
    .clk_i (clk), .rst_ni (rst_n),
    .ended_i (interrupt),
    .arvalid_i (ifm_ARVALID), .arready_i (ifm_ARREADY), .araddr_i (ifm_ARADDR), .arlen_i (ifm_ARLEN),
    .arsize_i (ifm_ARSIZE), .arburst_i (ifm_ARBURST),
    .rvalid_i (ifm_RVALID), .rready_i (ifm_RREADY), .rdata_i (ifm_RDATA), .rresp_i (ifm_RRESP),
    .rlast_i (ifm_RLAST),
    .awvalid_i (ifm_AWVALID), .awready_i (ifm_AWREADY), .awaddr_i (ifm_AWADDR), .awlen_i (ifm_AWLEN),
    .awsize_i (ifm_AWSIZE), .awburst_i (ifm_AWBURST),
    .wvalid_i (ifm_WVALID), .wready_i (ifm_WREADY), .wdata_i (ifm_WDATA), .wstrb_i (ifm_WSTRB),
    .wlast_i (ifm_WLAST),
    .bvalid_i (ifm_BVALID), .bready_i (ifm_BREADY), .bresp_i (ifm_BRESP), .violations_o (violations[0])
  );

  axi_memory #(.DataBits(hotnas_pkg::WgtPortBits), .Port(1)) u_wgt_memory (
    .clk_i (clk), .rst_ni (rst_n), .read_latency_i, .write_latency_i, .stall_i,
    .error_i (error_port_i == 2), .error_page_i, .error_decode_i,
    .arvalid_i (wgt_ARVALID), .arready_o (wgt_ARREADY), .araddr_i (wgt_ARADDR), .arlen_i (wgt_ARLEN),
    .rvalid_o (wgt_RVALID), .rready_i (wgt_RREADY), .rdata_o (wgt_RDATA), .rresp_o (wgt_RRESP),
    .rlast_o (wgt_RLAST),
    .awvalid_i (wgt_AWVALID), .awready_o (wgt_AWREADY), .awaddr_i (wgt_AWADDR), .awlen_i (wgt_AWLEN),
    .wvalid_i (wgt_WVALID), .wready_o (wgt_WREADY), .wdata_i (wgt_WDATA), .wlast_i (wgt_WLAST),
    .bvalid_o (wgt_BVALID), .bready_i (wgt_BREADY), .bresp_o (wgt_BRESP)
  );
  axi_checker #(.Name("m_axi_wgt"), .DataBits(hotnas_pkg::WgtPortBits)) u_wgt_checker (
    .clk_i (clk), .rst_ni (rst_n),
    .ended_i (interrupt),
    .arvalid_i (wgt_ARVALID), .arready_i (wgt_ARREADY), .araddr_i (wgt_ARADDR), .arlen_i (wgt_ARLEN),
    .arsize_i (wgt_ARSIZE), .arburst_i (wgt_ARBURST),
    .rvalid_i (wgt_RVALID), .rready_i (wgt_RREADY), .rdata_i (wgt_RDATA), .rresp_i (wgt_RRESP),
    .rlast_i (wgt_RLAST),
    .awvalid_i (wgt_AWVALID), .awready_i (wgt_AWREADY), .awaddr_i (wgt_AWADDR), .awlen_i (wgt_AWLEN),
    .awsize_i (wgt_AWSIZE), .awburst_i (wgt_AWBURST),
    .wvalid_i (wgt_WVALID), .wready_i (wgt_WREADY), .wdata_i (wgt_WDATA), .wstrb_i (wgt_WSTRB),
    .wlast_i (wgt_WLAST),
    .bvalid_i (wgt_BVALID), .bready_i (wgt_BREADY), .bresp_i (wgt_BRESP), .violations_o (violations[1])
  );

  axi_memory #(.DataBits(hotnas_pkg::OfmPortBits), .Port(2)) u_ofm_memory (
    .clk_i (clk), .rst_ni (rst_n), .read_latency_i, .write_latency_i, .stall_i,
    .error_i (error_port_i == 3), .error_page_i, .error_decode_i,
    .arvalid_i (ofm_ARVALID), .arready_o (ofm_ARREADY), .araddr_i (ofm_ARADDR), .arlen_i (ofm_ARLEN),
    .rvalid_o (ofm_RVALID), .rready_i (ofm_RREADY), .rdata_o (ofm_RDATA), .rresp_o (ofm_RRESP),
    .rlast_o (ofm_RLAST),
    .awvalid_i (ofm_AWVALID), .awready_o (ofm_AWREADY), .awaddr_i (ofm_AWADDR), .awlen_i (ofm_AWLEN),
    .wvalid_i (ofm_WVALID), .wready_o (ofm_WREADY), .wdata_i (ofm_WDATA), .wlast_i (ofm_WLAST),
    .bvalid_o (ofm_BVALID), .bready_i (ofm_BREADY), .bresp_o (ofm_BRESP)
  );
  axi_checker #(.Name("m_axi_ofm"), .DataBits(hotnas_pkg::OfmPortBits)) u_ofm_checker (
    .clk_i (clk), .rst_ni (rst_n),
    .ended_i (interrupt),
    .arvalid_i (ofm_ARVALID), .arready_i (ofm_ARREADY), .araddr_i (ofm_ARADDR), .arlen_i (ofm_ARLEN),
    .arsize_i (ofm_ARSIZE), .arburst_i (ofm_ARBURST),
    .rvalid_i (ofm_RVALID), .rready_i (ofm_RREADY), .rdata_i (ofm_RDATA), .rresp_i (ofm_RRESP),
    .rlast_i (ofm_RLAST),
    .awvalid_i (ofm_AWVALID), .awready_i (ofm_AWREADY), .awaddr_i (ofm_AWADDR), .awlen_i (ofm_AWLEN),
    .awsize_i (ofm_AWSIZE), .awburst_i (ofm_AWBURST),
    .wvalid_i (ofm_WVALID), .wready_i (ofm_WREADY), .wdata_i (ofm_WDATA), .wstrb_i (ofm_WSTRB),
    .wlast_i (ofm_WLAST),
    .bvalid_i (ofm_BVALID), .bready_i (ofm_BREADY), .bresp_i (ofm_BRESP), .violations_o (violations[2])
  );

endmodule
