// AXI4-Lite slave with the register map of a Vitis HLS kernel, and the cycle counts of every layer.
//
//   at their offsets in hotnas_pkg: the registers
//   ProfileBase + 32 x layer: cycles, load_ifm, load_wgt, compute, store_ofm, stall
//   the last profile slot: cycles of the run (64 bits)
module control_regs (
  input  logic        clk_i,
  input  logic        rst_ni,
  // AXI4-Lite
  input  logic        awvalid_i,
  output logic        awready_o,
  input  logic [hotnas_pkg::ControlAddrBits-1:0] awaddr_i,
  input  logic        wvalid_i,
  output logic        wready_o,
  input  logic [31:0] wdata_i,
  input  logic [3:0]  wstrb_i,
  output logic        bvalid_o,
  input  logic        bready_i,
  input  logic        arvalid_i,
  output logic        arready_o,
  input  logic [hotnas_pkg::ControlAddrBits-1:0] araddr_i,
  output logic        rvalid_o,
  input  logic        rready_i,
  output logic [31:0] rdata_o,
  output logic        interrupt_o,
  // the accelerator
  output logic        start_o,          // pulse
  output logic        running_o,        // from the start to the end of a run
  input  logic        done_i,           // pulse
  output logic        abort_o,          // pulse
  input  logic        aborting_i,
  input  logic        aborted_i,        // with done_i: so the run has ended
  input  logic [31:0] status_i,
  output logic [63:0] ifm_o,
  output logic [63:0] wgt_o,
  output logic [63:0] ofm_o,
  output logic [31:0] layers_o,
  output logic [31:0] images_o,
  output logic [31:0] image_stride_o,
  input  logic        profile_we_i,
  input  logic [15:0] profile_layer_i,
  input  logic [255:0] profile_i,
  input  logic [255:0] port_counts_i
);

  localparam int unsigned Slots    = hotnas_pkg::ProfileSlots;
  localparam int unsigned SlotBits = $clog2(Slots);

  // ---------------------------------------------------------------- write channel
  typedef enum logic [1:0] {WriteAddr, WriteData, WriteResp} write_e;
  write_e     write_q;
  logic [7:0] waddr_q;
  logic       wprofile_q, write;
  logic [31:0] mask;

  assign awready_o = write_q == WriteAddr;
  assign wready_o  = write_q == WriteData;
  assign bvalid_o  = write_q == WriteResp;
  assign write     = wvalid_i && wready_o && !wprofile_q;
  assign mask      = {{8{wstrb_i[3]}}, {8{wstrb_i[2]}}, {8{wstrb_i[1]}}, {8{wstrb_i[0]}}};

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      write_q    <= WriteAddr;
      waddr_q    <= '0;
      wprofile_q <= 1'b0;
    end else begin
      unique case (write_q)
        WriteAddr: if (awvalid_i) begin
          write_q    <= WriteData;
          waddr_q    <= {awaddr_i[7:2], 2'b00};
          wprofile_q <= |awaddr_i[hotnas_pkg::ControlAddrBits-1:8];
        end
        WriteData: if (wvalid_i) write_q <= WriteResp;
        WriteResp: if (bready_i) write_q <= WriteAddr;
        default: write_q <= WriteAddr;
      endcase
    end
  end

  // ---------------------------------------------------------------- read channel
  logic        rvalid_q, read;
  logic [31:0] rdata_q, reg_data, profile_data;
  logic [255:0] slot_data;
  logic [63:0] run_cycles_q;

  assign arready_o = !rvalid_q;
  assign rvalid_o  = rvalid_q;
  assign rdata_o   = rdata_q;
  assign read      = arvalid_i && arready_o;

  logic [255:0] profile_mem [Slots];
  logic [SlotBits-1:0] slot;
  assign slot = araddr_i[5 +: SlotBits];
  always_ff @(posedge clk_i) begin
    if (profile_we_i) profile_mem[SlotBits'(profile_layer_i)] <= profile_i;
  end
  assign slot_data    = (slot == SlotBits'(Slots - 1)) ? {192'd0, run_cycles_q} : profile_mem[slot];
  assign profile_data = slot_data[32*32'(araddr_i[4:2]) +: 32];

  // ---------------------------------------------------------------- registers
  logic        start_q, done_q, ready_q, idle_q, auto_restart_q, gier_q, running_q, aborted_q;
  logic        begin_q, start_written;
  logic [1:0]  ier_q, isr_q;
  logic [63:0] ifm_q, wgt_q, ofm_q;
  logic [31:0] layers_q, images_q, image_stride_q;

  assign start_written = write && (32'(waddr_q) == hotnas_pkg::RegCtrl) && wstrb_i[0] && wdata_i[0];
  // What starts a run reaches the whole engine: a register of its own, which knows of an abort a cycle before.
  assign start_o     = begin_q;
  assign running_o   = running_q;
  assign abort_o     = write && (32'(waddr_q) == hotnas_pkg::RegAbort) && wstrb_i[0] && wdata_i[0];
  assign ifm_o       = ifm_q;
  assign wgt_o       = wgt_q;
  assign ofm_o       = ofm_q;
  assign layers_o    = layers_q;
  assign images_o    = images_q;
  assign image_stride_o = image_stride_q;
  assign interrupt_o = gier_q && (isr_q != '0);
  assign idle_q      = !running_q && !start_q;  // from a start on it tells that the run has ended

  always_comb begin
    unique case (32'({araddr_i[7:2], 2'b00}))
      hotnas_pkg::RegCtrl: reg_data = {22'd0, interrupt_o, 1'b0, auto_restart_q, 3'd0, ready_q, idle_q, done_q, start_q};
      hotnas_pkg::RegGier: reg_data = {31'd0, gier_q};
      hotnas_pkg::RegIer: reg_data = {30'd0, ier_q};
      hotnas_pkg::RegIsr: reg_data = {30'd0, isr_q};
      hotnas_pkg::RegStatus: reg_data = status_i | 32'(aborted_q) << 7;
      hotnas_pkg::RegIfm: reg_data = ifm_q[31:0];
      hotnas_pkg::RegIfmHigh: reg_data = ifm_q[63:32];
      hotnas_pkg::RegWgt: reg_data = wgt_q[31:0];
      hotnas_pkg::RegWgtHigh: reg_data = wgt_q[63:32];
      hotnas_pkg::RegOfm: reg_data = ofm_q[31:0];
      hotnas_pkg::RegOfmHigh: reg_data = ofm_q[63:32];
      hotnas_pkg::RegLayers: reg_data = layers_q;
      hotnas_pkg::RegImages: reg_data = images_q;
      hotnas_pkg::RegImageStride: reg_data = image_stride_q;
      hotnas_pkg::RegAbort: reg_data = {31'd0, aborting_i};
      hotnas_pkg::RegIdentity: reg_data = hotnas_pkg::IdMap;
      hotnas_pkg::RegIdentity + 4: reg_data = hotnas_pkg::IdFeatures;
      hotnas_pkg::RegIdentity + 8: reg_data = hotnas_pkg::IdHardware;
      hotnas_pkg::RegIdentity + 12: reg_data = hotnas_pkg::IdHardwareHigh;
      hotnas_pkg::RegIdentity + 16: reg_data = hotnas_pkg::IdClockKhz;
      default: reg_data = (araddr_i[7:5] == 3'(hotnas_pkg::RegPorts / 32)) ? port_counts_i[32*32'(araddr_i[4:2]) +: 32] : '0;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      rvalid_q <= 1'b0;
      rdata_q  <= '0;
    end else if (read) begin
      rvalid_q <= 1'b1;
      if (araddr_i[hotnas_pkg::ControlAddrBits-1]) rdata_q <= profile_data;
      else rdata_q <= (|araddr_i[hotnas_pkg::ControlAddrBits-2:8]) ? '0 : reg_data;
    end else if (rready_i) begin
      rvalid_q <= 1'b0;
    end
  end

  logic read_ctrl;
  assign read_ctrl = read && (araddr_i[hotnas_pkg::ControlAddrBits-1:2] == '0);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      start_q        <= 1'b0;
      begin_q        <= 1'b0;
      done_q         <= 1'b0;
      ready_q        <= 1'b0;
      auto_restart_q <= 1'b0;
      gier_q         <= 1'b0;
      ier_q          <= '0;
      isr_q          <= '0;
      ifm_q          <= '0;
      wgt_q          <= '0;
      ofm_q          <= '0;
      layers_q       <= '0;
      images_q       <= '0;
      image_stride_q <= '0;
      aborted_q      <= 1'b0;
      running_q      <= 1'b0;
      run_cycles_q   <= '0;
    end else begin
      begin_q   <= (start_q || start_written) && !running_q && !begin_q && !aborting_i && !abort_o;
      running_q <= (running_q || start_o) && !done_i;  // a run of no layer ends as it starts
      aborted_q <= aborted_i || (aborted_q && !start_o);
      if (start_o) run_cycles_q <= '0;
      else if (running_q) run_cycles_q <= run_cycles_q + 64'd1;

      if (read_ctrl) begin
        done_q  <= 1'b0;
        ready_q <= 1'b0;
      end
      if (done_i) begin
        done_q  <= 1'b1;
        ready_q <= 1'b1;
        start_q <= auto_restart_q;
      end
      if (start_written) start_q <= 1'b1;
      if (write) begin
        unique case (32'(waddr_q))
          hotnas_pkg::RegCtrl: if (wstrb_i[0]) auto_restart_q <= wdata_i[7];
          hotnas_pkg::RegGier: if (wstrb_i[0]) gier_q <= wdata_i[0];
          hotnas_pkg::RegIer: if (wstrb_i[0]) ier_q <= wdata_i[1:0];
          hotnas_pkg::RegIsr: if (wstrb_i[0]) isr_q <= isr_q ^ wdata_i[1:0];
          hotnas_pkg::RegIfm: ifm_q[31:0]  <= (wdata_i & mask) | (ifm_q[31:0] & ~mask);
          hotnas_pkg::RegIfmHigh: ifm_q[63:32] <= (wdata_i & mask) | (ifm_q[63:32] & ~mask);
          hotnas_pkg::RegWgt: wgt_q[31:0]  <= (wdata_i & mask) | (wgt_q[31:0] & ~mask);
          hotnas_pkg::RegWgtHigh: wgt_q[63:32] <= (wdata_i & mask) | (wgt_q[63:32] & ~mask);
          hotnas_pkg::RegOfm: ofm_q[31:0]  <= (wdata_i & mask) | (ofm_q[31:0] & ~mask);
          hotnas_pkg::RegOfmHigh: ofm_q[63:32] <= (wdata_i & mask) | (ofm_q[63:32] & ~mask);
          hotnas_pkg::RegLayers: layers_q     <= (wdata_i & mask) | (layers_q & ~mask);
          hotnas_pkg::RegImages: images_q     <= (wdata_i & mask) | (images_q & ~mask);
          hotnas_pkg::RegImageStride: image_stride_q <= (wdata_i & mask) | (image_stride_q & ~mask);
          default: ;
        endcase
      end
      if (abort_o) auto_restart_q <= 1'b0;
      // Behind the write: an acknowledgement in the cycle of `done` is that of an earlier run.
      if (done_i && ier_q[0]) isr_q[0] <= 1'b1;
      if (done_i && ier_q[1]) isr_q[1] <= 1'b1;
    end
  end

  logic unused;
  assign unused = ^{awaddr_i[1:0], araddr_i[1:0]};

endmodule
