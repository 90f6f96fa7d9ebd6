// The accelerator: registers and three AXI4 masters (or one, where all reads share a port) around one
// tiled convolution engine. Port names are
// those Vitis HLS gives the C++ twin, so either can stand in the other's place.
module hotnas_accel (
  input  logic ap_clk,
  input  logic ap_rst_n,
  output logic interrupt,
  // s_axi_control: registers, see control_regs.sv
  input  logic s_axi_control_AWVALID,
  output logic s_axi_control_AWREADY,
  input  logic [hotnas_pkg::ControlAddrBits-1:0] s_axi_control_AWADDR,
  input  logic s_axi_control_WVALID,
  output logic s_axi_control_WREADY,
  input  logic [31:0] s_axi_control_WDATA,
  input  logic [3:0] s_axi_control_WSTRB,
  output logic s_axi_control_BVALID,
  input  logic s_axi_control_BREADY,
  output logic [1:0] s_axi_control_BRESP,
  input  logic s_axi_control_ARVALID,
  output logic s_axi_control_ARREADY,
  input  logic [hotnas_pkg::ControlAddrBits-1:0] s_axi_control_ARADDR,
  output logic s_axi_control_RVALID,
  input  logic s_axi_control_RREADY,
  output logic [31:0] s_axi_control_RDATA,
  output logic [1:0] s_axi_control_RRESP,
  // m_axi_ifm: feature maps, read
  output logic m_axi_ifm_AWVALID,
  input  logic m_axi_ifm_AWREADY,
  output logic [63:0] m_axi_ifm_AWADDR,
  output logic m_axi_ifm_AWID,
  output logic [7:0] m_axi_ifm_AWLEN,
  output logic [2:0] m_axi_ifm_AWSIZE,
  output logic [1:0] m_axi_ifm_AWBURST,
  output logic [1:0] m_axi_ifm_AWLOCK,
  output logic [3:0] m_axi_ifm_AWCACHE,
  output logic [2:0] m_axi_ifm_AWPROT,
  output logic [3:0] m_axi_ifm_AWQOS,
  output logic [3:0] m_axi_ifm_AWREGION,
  output logic m_axi_ifm_WVALID,
  input  logic m_axi_ifm_WREADY,
  output logic [hotnas_pkg::IfmPortBits-1:0] m_axi_ifm_WDATA,
  output logic [hotnas_pkg::IfmPortBits/8-1:0] m_axi_ifm_WSTRB,
  output logic m_axi_ifm_WLAST,
  input  logic m_axi_ifm_BVALID,
  output logic m_axi_ifm_BREADY,
  input  logic [1:0] m_axi_ifm_BRESP,
  input  logic m_axi_ifm_BID,
  output logic m_axi_ifm_ARVALID,
  input  logic m_axi_ifm_ARREADY,
  output logic [63:0] m_axi_ifm_ARADDR,
  output logic m_axi_ifm_ARID,
  output logic [7:0] m_axi_ifm_ARLEN,
  output logic [2:0] m_axi_ifm_ARSIZE,
  output logic [1:0] m_axi_ifm_ARBURST,
  output logic [1:0] m_axi_ifm_ARLOCK,
  output logic [3:0] m_axi_ifm_ARCACHE,
  output logic [2:0] m_axi_ifm_ARPROT,
  output logic [3:0] m_axi_ifm_ARQOS,
  output logic [3:0] m_axi_ifm_ARREGION,
  input  logic m_axi_ifm_RVALID,
  output logic m_axi_ifm_RREADY,
  input  logic [hotnas_pkg::IfmPortBits-1:0] m_axi_ifm_RDATA,
  input  logic m_axi_ifm_RLAST,
  input  logic m_axi_ifm_RID,
  input  logic [1:0] m_axi_ifm_RRESP,
  // m_axi_wgt: descriptors and weights, read
  output logic m_axi_wgt_AWVALID,
  input  logic m_axi_wgt_AWREADY,
  output logic [63:0] m_axi_wgt_AWADDR,
  output logic m_axi_wgt_AWID,
  output logic [7:0] m_axi_wgt_AWLEN,
  output logic [2:0] m_axi_wgt_AWSIZE,
  output logic [1:0] m_axi_wgt_AWBURST,
  output logic [1:0] m_axi_wgt_AWLOCK,
  output logic [3:0] m_axi_wgt_AWCACHE,
  output logic [2:0] m_axi_wgt_AWPROT,
  output logic [3:0] m_axi_wgt_AWQOS,
  output logic [3:0] m_axi_wgt_AWREGION,
  output logic m_axi_wgt_WVALID,
  input  logic m_axi_wgt_WREADY,
  output logic [hotnas_pkg::WgtPortBits-1:0] m_axi_wgt_WDATA,
  output logic [hotnas_pkg::WgtPortBits/8-1:0] m_axi_wgt_WSTRB,
  output logic m_axi_wgt_WLAST,
  input  logic m_axi_wgt_BVALID,
  output logic m_axi_wgt_BREADY,
  input  logic [1:0] m_axi_wgt_BRESP,
  input  logic m_axi_wgt_BID,
  output logic m_axi_wgt_ARVALID,
  input  logic m_axi_wgt_ARREADY,
  output logic [63:0] m_axi_wgt_ARADDR,
  output logic m_axi_wgt_ARID,
  output logic [7:0] m_axi_wgt_ARLEN,
  output logic [2:0] m_axi_wgt_ARSIZE,
  output logic [1:0] m_axi_wgt_ARBURST,
  output logic [1:0] m_axi_wgt_ARLOCK,
  output logic [3:0] m_axi_wgt_ARCACHE,
  output logic [2:0] m_axi_wgt_ARPROT,
  output logic [3:0] m_axi_wgt_ARQOS,
  output logic [3:0] m_axi_wgt_ARREGION,
  input  logic m_axi_wgt_RVALID,
  output logic m_axi_wgt_RREADY,
  input  logic [hotnas_pkg::WgtPortBits-1:0] m_axi_wgt_RDATA,
  input  logic m_axi_wgt_RLAST,
  input  logic m_axi_wgt_RID,
  input  logic [1:0] m_axi_wgt_RRESP,
  // m_axi_ofm: feature maps, written; residuals read
  output logic m_axi_ofm_AWVALID,
  input  logic m_axi_ofm_AWREADY,
  output logic [63:0] m_axi_ofm_AWADDR,
  output logic m_axi_ofm_AWID,
  output logic [7:0] m_axi_ofm_AWLEN,
  output logic [2:0] m_axi_ofm_AWSIZE,
  output logic [1:0] m_axi_ofm_AWBURST,
  output logic [1:0] m_axi_ofm_AWLOCK,
  output logic [3:0] m_axi_ofm_AWCACHE,
  output logic [2:0] m_axi_ofm_AWPROT,
  output logic [3:0] m_axi_ofm_AWQOS,
  output logic [3:0] m_axi_ofm_AWREGION,
  output logic m_axi_ofm_WVALID,
  input  logic m_axi_ofm_WREADY,
  output logic [hotnas_pkg::OfmPortBits-1:0] m_axi_ofm_WDATA,
  output logic [hotnas_pkg::OfmPortBits/8-1:0] m_axi_ofm_WSTRB,
  output logic m_axi_ofm_WLAST,
  input  logic m_axi_ofm_BVALID,
  output logic m_axi_ofm_BREADY,
  input  logic [1:0] m_axi_ofm_BRESP,
  input  logic m_axi_ofm_BID,
  output logic m_axi_ofm_ARVALID,
  input  logic m_axi_ofm_ARREADY,
  output logic [63:0] m_axi_ofm_ARADDR,
  output logic m_axi_ofm_ARID,
  output logic [7:0] m_axi_ofm_ARLEN,
  output logic [2:0] m_axi_ofm_ARSIZE,
  output logic [1:0] m_axi_ofm_ARBURST,
  output logic [1:0] m_axi_ofm_ARLOCK,
  output logic [3:0] m_axi_ofm_ARCACHE,
  output logic [2:0] m_axi_ofm_ARPROT,
  output logic [3:0] m_axi_ofm_ARQOS,
  output logic [3:0] m_axi_ofm_ARREGION,
  input  logic m_axi_ofm_RVALID,
  output logic m_axi_ofm_RREADY,
  input  logic [hotnas_pkg::OfmPortBits-1:0] m_axi_ofm_RDATA,
  input  logic m_axi_ofm_RLAST,
  input  logic m_axi_ofm_RID,
  input  logic [1:0] m_axi_ofm_RRESP
);


  logic clk, rst_n;
  assign clk   = ap_clk;
  assign rst_n = ap_rst_n;

  // ---------------------------------------------------------------- control
  logic         start, done, layer_start, layer_done, fetching;
  logic [31:0]  status, layers, images, image_stride;
  logic [63:0]  ifm_base, wgt_base, ofm_base;
  logic [63:0]  image_ifm_base, image_ofm_base;  // of the image in work
  logic [1023:0] cfg;
  logic         profile_we;
  logic [15:0]  profile_layer;
  logic [255:0] profile;
  logic [3:0]   errors;
  logic         load_ifm_busy, load_wgt_busy, compute_busy, compute_stall, compute_idle, store_ofm_busy, store_ofm_done;
  logic         writes_answered;

  control_regs u_control (
    .clk_i           (clk),
    .rst_ni          (rst_n),
    .awvalid_i       (s_axi_control_AWVALID),
    .awready_o       (s_axi_control_AWREADY),
    .awaddr_i        (s_axi_control_AWADDR),
    .wvalid_i        (s_axi_control_WVALID),
    .wready_o        (s_axi_control_WREADY),
    .wdata_i         (s_axi_control_WDATA),
    .wstrb_i         (s_axi_control_WSTRB),
    .bvalid_o        (s_axi_control_BVALID),
    .bready_i        (s_axi_control_BREADY),
    .arvalid_i       (s_axi_control_ARVALID),
    .arready_o       (s_axi_control_ARREADY),
    .araddr_i        (s_axi_control_ARADDR),
    .rvalid_o        (s_axi_control_RVALID),
    .rready_i        (s_axi_control_RREADY),
    .rdata_o         (s_axi_control_RDATA),
    .interrupt_o     (interrupt),
    .start_o         (start),
    .done_i          (done),
    .status_i        (status),
    .ifm_o           (ifm_base),
    .wgt_o           (wgt_base),
    .ofm_o           (ofm_base),
    .layers_o        (layers),
    .images_o        (images),
    .image_stride_o  (image_stride),
    .profile_we_i    (profile_we),
    .profile_layer_i (profile_layer),
    .profile_i       (profile)
  );
  assign s_axi_control_BRESP = 2'b00;
  assign s_axi_control_RRESP = 2'b00;

  // ---------------------------------------------------------------- reads: feature maps
  logic        ifm_run_valid, ifm_run_ready, ifm_slice_last, ifm_beat_valid, ifm_beat_ready;
  logic [63:0] ifm_run_addr;
  logic [31:0] ifm_run_beats;
  logic [hotnas_pkg::IfmPortBits-1:0] ifm_beat;

  // ---------------------------------------------------------------- reads: sequencer or load_wgt
  logic        wgt_run_valid, wgt_run_ready, wgt_beat_valid, wgt_beat_ready;
  logic        fetch_run_valid, load_run_valid, load_beat_ready;
  logic [63:0] wgt_run_addr, fetch_run_addr, load_run_addr;
  logic [31:0] wgt_run_beats, fetch_run_beats, load_run_beats;
  logic [hotnas_pkg::WgtPortBits-1:0] wgt_beat;

  assign wgt_run_valid  = fetching ? fetch_run_valid : load_run_valid;
  assign wgt_run_addr   = fetching ? fetch_run_addr : load_run_addr;
  assign wgt_run_beats  = fetching ? fetch_run_beats : load_run_beats;
  assign wgt_beat_ready = fetching || load_beat_ready;

  // ---------------------------------------------------------------- reads: residual
  logic        res_run_valid, res_run_ready, res_last, res_beat_valid, res_beat_ready;
  logic [63:0] res_run_addr;
  logic [31:0] res_run_beats;
  logic [hotnas_pkg::OfmPortBits-1:0] res_beat;

  // ---------------------------------------------------------------- m_axi_ofm: OFM out
  logic        ofm_run_valid, ofm_run_ready, ofm_beat_valid, ofm_beat_ready;
  logic [63:0] ofm_run_addr;
  logic [31:0] ofm_run_beats;
  logic [hotnas_pkg::OfmPortBits-1:0] ofm_beat;

  axi_write_master #(.DataBits(hotnas_pkg::OfmPortBits)) u_ofm_port (
    .clk_i        (clk),
    .rst_ni       (rst_n),
    .run_valid_i  (ofm_run_valid),
    .run_ready_o  (ofm_run_ready),
    .run_addr_i   (ofm_run_addr),
    .run_beats_i  (ofm_run_beats),
    .beat_valid_i (ofm_beat_valid),
    .beat_ready_o (ofm_beat_ready),
    .beat_i       (ofm_beat),
    .idle_o       (writes_answered),
    .error_o      (errors[3]),
    .awvalid_o    (m_axi_ofm_AWVALID),
    .awready_i    (m_axi_ofm_AWREADY),
    .awaddr_o     (m_axi_ofm_AWADDR),
    .awlen_o      (m_axi_ofm_AWLEN),
    .wvalid_o     (m_axi_ofm_WVALID),
    .wready_i     (m_axi_ofm_WREADY),
    .wdata_o      (m_axi_ofm_WDATA),
    .wlast_o      (m_axi_ofm_WLAST),
    .bvalid_i     (m_axi_ofm_BVALID),
    .bready_o     (m_axi_ofm_BREADY),
    .bresp_i      (m_axi_ofm_BRESP)
  );

  // ---------------------------------------------------------------- m_axi_ofm: residual in, or every read
  logic        run_valid, run_ready, beat_valid, beat_ready, error;
  logic [63:0] run_addr;
  logic [31:0] run_beats;
  logic [hotnas_pkg::OfmPortBits-1:0] beat;

  axi_read_master #(.DataBits(hotnas_pkg::OfmPortBits)) u_ofm_reads (
    .clk_i        (clk),
    .rst_ni       (rst_n),
    .run_valid_i  (run_valid),
    .run_ready_o  (run_ready),
    .run_addr_i   (run_addr),
    .run_beats_i  (run_beats),
    .beat_valid_o (beat_valid),
    .beat_ready_i (beat_ready),
    .beat_o       (beat),
    .error_o      (error),
    .arvalid_o    (m_axi_ofm_ARVALID),
    .arready_i    (m_axi_ofm_ARREADY),
    .araddr_o     (m_axi_ofm_ARADDR),
    .arlen_o      (m_axi_ofm_ARLEN),
    .rvalid_i     (m_axi_ofm_RVALID),
    .rready_o     (m_axi_ofm_RREADY),
    .rdata_i      (m_axi_ofm_RDATA),
    .rresp_i      (m_axi_ofm_RRESP),
    .rlast_i      (m_axi_ofm_RLAST)
  );
  assign res_beat = beat;

  // ---------------------------------------------------------------- m_axi_ifm, m_axi_wgt: reads
  if (hotnas_pkg::SharedBus == 0) begin : gen_split

    axi_read_master #(.DataBits(hotnas_pkg::IfmPortBits)) u_ifm_port (
      .clk_i        (clk),
      .rst_ni       (rst_n),
      .run_valid_i  (ifm_run_valid),
      .run_ready_o  (ifm_run_ready),
      .run_addr_i   (ifm_run_addr),
      .run_beats_i  (ifm_run_beats),
      .beat_valid_o (ifm_beat_valid),
      .beat_ready_i (ifm_beat_ready),
      .beat_o       (ifm_beat),
      .error_o      (errors[0]),
      .arvalid_o    (m_axi_ifm_ARVALID),
      .arready_i    (m_axi_ifm_ARREADY),
      .araddr_o     (m_axi_ifm_ARADDR),
      .arlen_o      (m_axi_ifm_ARLEN),
      .rvalid_i     (m_axi_ifm_RVALID),
      .rready_o     (m_axi_ifm_RREADY),
      .rdata_i      (m_axi_ifm_RDATA),
      .rresp_i      (m_axi_ifm_RRESP),
      .rlast_i      (m_axi_ifm_RLAST)
    );

    axi_read_master #(.DataBits(hotnas_pkg::WgtPortBits)) u_wgt_port (
      .clk_i        (clk),
      .rst_ni       (rst_n),
      .run_valid_i  (wgt_run_valid),
      .run_ready_o  (wgt_run_ready),
      .run_addr_i   (wgt_run_addr),
      .run_beats_i  (wgt_run_beats),
      .beat_valid_o (wgt_beat_valid),
      .beat_ready_i (wgt_beat_ready),
      .beat_o       (wgt_beat),
      .error_o      (errors[1]),
      .arvalid_o    (m_axi_wgt_ARVALID),
      .arready_i    (m_axi_wgt_ARREADY),
      .araddr_o     (m_axi_wgt_ARADDR),
      .arlen_o      (m_axi_wgt_ARLEN),
      .rvalid_i     (m_axi_wgt_RVALID),
      .rready_o     (m_axi_wgt_RREADY),
      .rdata_i      (m_axi_wgt_RDATA),
      .rresp_i      (m_axi_wgt_RRESP),
      .rlast_i      (m_axi_wgt_RLAST)
    );

    assign run_valid      = res_run_valid;
    assign run_addr       = res_run_addr;
    assign run_beats      = res_run_beats;
    assign res_run_ready  = run_ready;
    assign res_beat_valid = beat_valid;
    assign beat_ready     = res_beat_ready;
    assign errors[2]      = error;

    logic unused_order;
    assign unused_order = ifm_slice_last ^ res_last;

  end else begin : gen_shared

    // Every read goes through m_axi_ofm; m_axi_ifm and m_axi_wgt stay idle.
    read_order u_order (
      .clk_i            (clk),
      .rst_ni           (rst_n),
      .start_i          (layer_start),
      .cfg_i            (cfg),
      .fetching_i       (fetching),
      .wgt_run_valid_i  (wgt_run_valid),
      .wgt_run_ready_o  (wgt_run_ready),
      .wgt_run_addr_i   (wgt_run_addr),
      .wgt_run_beats_i  (wgt_run_beats),
      .ifm_run_valid_i  (ifm_run_valid),
      .ifm_run_ready_o  (ifm_run_ready),
      .ifm_run_addr_i   (ifm_run_addr),
      .ifm_run_beats_i  (ifm_run_beats),
      .ifm_slice_last_i (ifm_slice_last),
      .res_run_valid_i  (res_run_valid),
      .res_run_ready_o  (res_run_ready),
      .res_run_addr_i   (res_run_addr),
      .res_run_beats_i  (res_run_beats),
      .res_last_i       (res_last),
      .run_valid_o      (run_valid),
      .run_ready_i      (run_ready),
      .run_addr_o       (run_addr),
      .run_beats_o      (run_beats),
      .beat_valid_i     (beat_valid),
      .beat_ready_o     (beat_ready),
      .wgt_beat_valid_o (wgt_beat_valid),
      .wgt_beat_ready_i (wgt_beat_ready),
      .ifm_beat_valid_o (ifm_beat_valid),
      .ifm_beat_ready_i (ifm_beat_ready),
      .res_beat_valid_o (res_beat_valid),
      .res_beat_ready_i (res_beat_ready)
    );
    assign ifm_beat = beat;
    assign wgt_beat = beat;
    assign errors[0] = error && ifm_beat_valid;
    assign errors[1] = error && wgt_beat_valid;
    assign errors[2] = error && res_beat_valid;

    assign m_axi_ifm_ARVALID = 1'b0;
    assign m_axi_ifm_ARADDR  = '0;
    assign m_axi_ifm_ARLEN   = '0;
    assign m_axi_ifm_RREADY  = 1'b1;
    assign m_axi_wgt_ARVALID = 1'b0;
    assign m_axi_wgt_ARADDR  = '0;
    assign m_axi_wgt_ARLEN   = '0;
    assign m_axi_wgt_RREADY  = 1'b1;

    logic unused_ports;
    assign unused_ports = ^{m_axi_ifm_ARREADY, m_axi_ifm_RVALID, m_axi_ifm_RDATA, m_axi_ifm_RLAST,
                            m_axi_ifm_RRESP, m_axi_wgt_ARREADY, m_axi_wgt_RVALID, m_axi_wgt_RDATA,
                            m_axi_wgt_RLAST, m_axi_wgt_RRESP};

  end

  // ---------------------------------------------------------------- layers
  logic       entry_we;
  logic [7:0] entry_beat;

  layer_sequencer u_sequencer (
    .clk_i            (clk),
    .rst_ni           (rst_n),
    .start_i          (start),
    .layers_i         (layers),
    .images_i         (images),
    .image_stride_i   (image_stride),
    .ifm_base_i       (ifm_base),
    .ofm_base_i       (ofm_base),
    .wgt_base_i       (wgt_base),
    .ifm_base_o       (image_ifm_base),
    .ofm_base_o       (image_ofm_base),
    .done_o           (done),
    .status_o         (status),
    .errors_i         (errors),
    .run_valid_o      (fetch_run_valid),
    .run_ready_i      (wgt_run_ready),
    .run_addr_o       (fetch_run_addr),
    .run_beats_o      (fetch_run_beats),
    .beat_valid_i     (wgt_beat_valid),
    .beat_i           (wgt_beat),
    .fetching_o       (fetching),
    .cfg_o            (cfg),
    .entry_we_o       (entry_we),
    .entry_beat_o     (entry_beat),
    .layer_start_o    (layer_start),
    .layer_done_i     (layer_done),
    .load_ifm_busy_i  (load_ifm_busy),
    .load_wgt_busy_i  (load_wgt_busy),
    .compute_busy_i   (compute_busy),
    .compute_stall_i  (compute_stall),
    .store_ofm_busy_i (store_ofm_busy),
    .profile_we_o     (profile_we),
    .profile_layer_o  (profile_layer),
    .profile_o        (profile)
  );
  assign layer_done = compute_idle && store_ofm_done && writes_answered;

  // ---------------------------------------------------------------- load_ifm
  logic ifm_release, slice_done, ifm_we;
  logic [15:0] ifm_wblock;
  logic [hotnas_pkg::IfmAddrBits-1:0] ifm_waddr;
  logic [hotnas_pkg::WordBits-1:0] ifm_wdata;
  logic [hotnas_pkg::ReadPorts*hotnas_pkg::IfmAddrBits-1:0] ifm_raddr;
  logic [hotnas_pkg::ReadPorts*hotnas_pkg::Tn*hotnas_pkg::ActBits-1:0] ifm_rdata, ifm_masked;

  ifm_loader u_load_ifm (
    .clk_i        (clk),
    .rst_ni       (rst_n),
    .start_i      (layer_start),
    .cfg_i        (cfg),
    .base_i       (image_ifm_base),
    .release_i    (ifm_release),
    .slice_done_o (slice_done),
    .busy_o       (load_ifm_busy),
    .run_valid_o  (ifm_run_valid),
    .run_ready_i  (ifm_run_ready),
    .run_addr_o   (ifm_run_addr),
    .run_beats_o  (ifm_run_beats),
    .slice_last_o (ifm_slice_last),
    .beat_valid_i (ifm_beat_valid),
    .beat_ready_o (ifm_beat_ready),
    .beat_i       (ifm_beat),
    .we_o         (ifm_we),
    .wblock_o     (ifm_wblock),
    .waddr_o      (ifm_waddr),
    .wdata_o      (ifm_wdata)
  );

  ifm_buffer u_ifm_buffer (
    .clk_i    (clk),
    .we_i     (ifm_we),
    .wblock_i (ifm_wblock),
    .waddr_i  (ifm_waddr),
    .wdata_i  (ifm_wdata),
    .raddr_i  (ifm_raddr),
    .rdata_o  (ifm_rdata)
  );

  // ---------------------------------------------------------------- load_wgt
  logic        slot_release, job_done, wgt_slot, bias_we, pattern_we, weight_we;
  logic [15:0] bias_beat, wgt_group;
  logic [7:0]  wgt_entry;
  logic [hotnas_pkg::WgtPortBits-1:0] bias_data;
  logic [hotnas_pkg::WgtPortBits*hotnas_pkg::WgtBits-1:0] lanes;

  wgt_loader u_load_wgt (
    .clk_i        (clk),
    .rst_ni       (rst_n),
    .start_i      (layer_start),
    .cfg_i        (cfg),
    .base_i       (wgt_base),
    .release_i    (slot_release),
    .job_done_o   (job_done),
    .busy_o       (load_wgt_busy),
    .run_valid_o  (load_run_valid),
    .run_ready_i  (wgt_run_ready && !fetching),
    .run_addr_o   (load_run_addr),
    .run_beats_o  (load_run_beats),
    .beat_valid_i (wgt_beat_valid && !fetching),
    .beat_ready_o (load_beat_ready),
    .beat_i       (wgt_beat),
    .slot_o       (wgt_slot),
    .bias_we_o    (bias_we),
    .bias_beat_o  (bias_beat),
    .bias_o       (bias_data),
    .pattern_we_o (pattern_we),
    .weight_we_o  (weight_we),
    .group_o      (wgt_group),
    .entry_o      (wgt_entry),
    .lanes_o      (lanes)
  );

  // ---------------------------------------------------------------- compute
  logic        stored, output_done, load, load_slot, load_bias, load_bias_slot;
  logic        acc_half, acc_valid, acc_first;
  logic [7:0]  load_entry, entry;
  logic [31:0] entry_word;
  logic [hotnas_pkg::AccAddrBits-1:0] acc_addr, drain_addr;
  logic        drain_half;
  logic [hotnas_pkg::Tm*hotnas_pkg::AccBits-1:0] drain;

  entry_table u_entries (
    .clk_i   (clk),
    .we_i    (entry_we),
    .beat_i  (entry_beat),
    .wdata_i (wgt_beat),
    .entry_i (entry),
    .rdata_o (entry_word)
  );

  compute_ctrl u_compute (
    .clk_i            (clk),
    .rst_ni           (rst_n),
    .start_i          (layer_start),
    .cfg_i            (cfg),
    .busy_o           (compute_busy),
    .stall_o          (compute_stall),
    .idle_o           (compute_idle),
    .slice_done_i     (slice_done),
    .job_done_i       (job_done),
    .stored_i         (stored),
    .slot_release_o   (slot_release),
    .half_release_o   (ifm_release),
    .output_done_o    (output_done),
    .entry_o          (entry),
    .entry_i          (entry_word),
    .ifm_addr_o       (ifm_raddr),
    .ifm_i            (ifm_rdata),
    .ifm_o            (ifm_masked),
    .load_o           (load),
    .load_slot_o      (load_slot),
    .load_entry_o     (load_entry),
    .load_bias_o      (load_bias),
    .load_bias_slot_o (load_bias_slot),
    .acc_half_o       (acc_half),
    .acc_addr_o       (acc_addr),
    .acc_valid_o      (acc_valid),
    .acc_first_o      (acc_first)
  );

  mac_array u_array (
    .clk_i            (clk),
    .cfg_i            (cfg),
    .ifm_i            (ifm_masked),
    .slot_i           (wgt_slot),
    .bias_we_i        (bias_we),
    .bias_beat_i      (bias_beat),
    .bias_i           (bias_data),
    .pattern_we_i     (pattern_we),
    .weight_we_i      (weight_we),
    .group_i          (wgt_group),
    .entry_i          (wgt_entry),
    .lanes_i          (lanes),
    .load_i           (load),
    .load_slot_i      (load_slot),
    .load_entry_i     (load_entry),
    .load_bias_i      (load_bias),
    .load_bias_slot_i (load_bias_slot),
    .acc_half_i       (acc_half),
    .acc_addr_i       (acc_addr),
    .acc_valid_i      (acc_valid),
    .acc_first_i      (acc_first),
    .drain_half_i     (drain_half),
    .drain_addr_i     (drain_addr),
    .drain_o          (drain)
  );

  // ---------------------------------------------------------------- store_ofm
  ofm_store u_store_ofm (
    .clk_i            (clk),
    .rst_ni           (rst_n),
    .start_i          (layer_start),
    .cfg_i            (cfg),
    .base_i           (image_ofm_base),
    .output_done_i    (output_done),
    .stored_o         (stored),
    .busy_o           (store_ofm_busy),
    .done_o           (store_ofm_done),
    .drain_half_o     (drain_half),
    .drain_addr_o     (drain_addr),
    .drain_i          (drain),
    .res_run_valid_o  (res_run_valid),
    .res_run_ready_i  (res_run_ready),
    .res_run_addr_o   (res_run_addr),
    .res_run_beats_o  (res_run_beats),
    .res_last_o       (res_last),
    .res_beat_valid_i (res_beat_valid),
    .res_beat_ready_o (res_beat_ready),
    .res_beat_i       (res_beat),
    .run_valid_o      (ofm_run_valid),
    .run_ready_i      (ofm_run_ready),
    .run_addr_o       (ofm_run_addr),
    .run_beats_o      (ofm_run_beats),
    .beat_valid_o     (ofm_beat_valid),
    .beat_ready_i     (ofm_beat_ready),
    .beat_o           (ofm_beat)
  );

  // ---------------------------------------------------------------- constant AXI signals
  assign m_axi_ifm_ARID     = 1'b0;
  assign m_axi_ifm_ARSIZE   = 3'($clog2(hotnas_pkg::IfmPortBits / 8));
  assign m_axi_ifm_ARBURST  = 2'b01;    // INCR
  assign m_axi_ifm_ARLOCK   = 2'b00;
  assign m_axi_ifm_ARCACHE  = 4'b0011;  // normal, non-cacheable, bufferable
  assign m_axi_ifm_ARPROT   = 3'b000;
  assign m_axi_ifm_ARQOS    = 4'b0000;
  assign m_axi_ifm_ARREGION = 4'b0000;
  assign m_axi_ifm_AWID     = 1'b0;
  assign m_axi_ifm_AWSIZE   = 3'($clog2(hotnas_pkg::IfmPortBits / 8));
  assign m_axi_ifm_AWBURST  = 2'b01;    // INCR
  assign m_axi_ifm_AWLOCK   = 2'b00;
  assign m_axi_ifm_AWCACHE  = 4'b0011;  // normal, non-cacheable, bufferable
  assign m_axi_ifm_AWPROT   = 3'b000;
  assign m_axi_ifm_AWQOS    = 4'b0000;
  assign m_axi_ifm_AWREGION = 4'b0000;
  assign m_axi_ifm_AWVALID = 1'b0;  // never writes
  assign m_axi_ifm_AWADDR  = '0;
  assign m_axi_ifm_AWLEN   = '0;
  assign m_axi_ifm_WVALID  = 1'b0;
  assign m_axi_ifm_WDATA   = '0;
  assign m_axi_ifm_WSTRB   = '0;
  assign m_axi_ifm_WLAST   = 1'b0;
  assign m_axi_ifm_BREADY  = 1'b1;
  assign m_axi_wgt_ARID     = 1'b0;
  assign m_axi_wgt_ARSIZE   = 3'($clog2(hotnas_pkg::WgtPortBits / 8));
  assign m_axi_wgt_ARBURST  = 2'b01;    // INCR
  assign m_axi_wgt_ARLOCK   = 2'b00;
  assign m_axi_wgt_ARCACHE  = 4'b0011;  // normal, non-cacheable, bufferable
  assign m_axi_wgt_ARPROT   = 3'b000;
  assign m_axi_wgt_ARQOS    = 4'b0000;
  assign m_axi_wgt_ARREGION = 4'b0000;
  assign m_axi_wgt_AWID     = 1'b0;
  assign m_axi_wgt_AWSIZE   = 3'($clog2(hotnas_pkg::WgtPortBits / 8));
  assign m_axi_wgt_AWBURST  = 2'b01;    // INCR
  assign m_axi_wgt_AWLOCK   = 2'b00;
  assign m_axi_wgt_AWCACHE  = 4'b0011;  // normal, non-cacheable, bufferable
  assign m_axi_wgt_AWPROT   = 3'b000;
  assign m_axi_wgt_AWQOS    = 4'b0000;
  assign m_axi_wgt_AWREGION = 4'b0000;
  assign m_axi_wgt_AWVALID = 1'b0;  // never writes
  assign m_axi_wgt_AWADDR  = '0;
  assign m_axi_wgt_AWLEN   = '0;
  assign m_axi_wgt_WVALID  = 1'b0;
  assign m_axi_wgt_WDATA   = '0;
  assign m_axi_wgt_WSTRB   = '0;
  assign m_axi_wgt_WLAST   = 1'b0;
  assign m_axi_wgt_BREADY  = 1'b1;
  assign m_axi_ofm_ARID     = 1'b0;
  assign m_axi_ofm_ARSIZE   = 3'($clog2(hotnas_pkg::OfmPortBits / 8));
  assign m_axi_ofm_ARBURST  = 2'b01;    // INCR
  assign m_axi_ofm_ARLOCK   = 2'b00;
  assign m_axi_ofm_ARCACHE  = 4'b0011;  // normal, non-cacheable, bufferable
  assign m_axi_ofm_ARPROT   = 3'b000;
  assign m_axi_ofm_ARQOS    = 4'b0000;
  assign m_axi_ofm_ARREGION = 4'b0000;
  assign m_axi_ofm_AWID     = 1'b0;
  assign m_axi_ofm_AWSIZE   = 3'($clog2(hotnas_pkg::OfmPortBits / 8));
  assign m_axi_ofm_AWBURST  = 2'b01;    // INCR
  assign m_axi_ofm_AWLOCK   = 2'b00;
  assign m_axi_ofm_AWCACHE  = 4'b0011;  // normal, non-cacheable, bufferable
  assign m_axi_ofm_AWPROT   = 3'b000;
  assign m_axi_ofm_AWQOS    = 4'b0000;
  assign m_axi_ofm_AWREGION = 4'b0000;
  assign m_axi_ofm_WSTRB = '1;

  logic unused;
  assign unused = ^{m_axi_ifm_AWREADY, m_axi_ifm_WREADY, m_axi_ifm_BVALID, m_axi_ifm_BRESP, m_axi_ifm_BID, m_axi_ifm_RID, m_axi_wgt_AWREADY, m_axi_wgt_WREADY, m_axi_wgt_BVALID, m_axi_wgt_BRESP, m_axi_wgt_BID, m_axi_wgt_RID, m_axi_ofm_RID, m_axi_ofm_BID, m_axi_ifm_RRESP[0], m_axi_wgt_RRESP[0], m_axi_ofm_RRESP[0], m_axi_ofm_BRESP[0]};

endmodule
