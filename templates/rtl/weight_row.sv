// Weights, pattern indices and bias of one output channel, in two slots, and the registers that hold
// the Tn weights of the kernel position in use.
module weight_row #(
  parameter int unsigned Row = 0,  // output channel within the Tm of the array
  parameter bit HasPattern = 1     // 0: follows the patterns of the channel it shares DSP slices with
) (
  input  logic        clk_i,
  // write port, from wgt_loader
  input  logic        slot_i,
  input  logic        bias_we_i,
  input  logic [15:0] bias_beat_i,
  input  logic [hotnas_pkg::PlaneBits-1:0] bias_i,
  input  logic        pattern_we_i,
  input  logic        weight_we_i,
  input  logic [15:0] group_i,
  input  logic [7:0]  entry_i,
  input  logic [hotnas_pkg::PlaneBits*hotnas_pkg::WgtBits-1:0] lanes_i,
  // read port: loads the registers
  input  logic        load_i,
  input  logic        load_slot_i,
  input  logic [7:0]  load_entry_i,
  input  logic        load_bias_i,
  input  logic        load_bias_slot_i,
  input  logic        pruned_i,
  output logic [hotnas_pkg::Tn*hotnas_pkg::WgtBits-1:0] weights_o,
  output logic [hotnas_pkg::Tn*2-1:0] patterns_o,
  output logic [31:0] bias_o
);

  localparam int unsigned Bits        = hotnas_pkg::WgtBits;
  localparam int unsigned SegmentLen  = hotnas_pkg::Tn / hotnas_pkg::PartsPerRow;
  localparam int unsigned FirstLane   = (Row % hotnas_pkg::RowsPerGroup) * hotnas_pkg::Tn;
  localparam int unsigned FirstGroup  = (Row / hotnas_pkg::RowsPerGroup) * hotnas_pkg::PartsPerRow;
  localparam int unsigned BiasPerBeat = hotnas_pkg::PlaneBits / 32;
  localparam int unsigned AddrBits    = $clog2(2 * hotnas_pkg::WgtEntries);

  logic [AddrBits-1:0] waddr, raddr;
  assign waddr = AddrBits'(entry_i) + (slot_i ? AddrBits'(hotnas_pkg::WgtEntries) : '0);
  assign raddr = AddrBits'(load_entry_i) + (load_slot_i ? AddrBits'(hotnas_pkg::WgtEntries) : '0);

  for (genvar part = 0; part < hotnas_pkg::PartsPerRow; part++) begin : gen_part
    logic mine;
    assign mine = group_i == 16'(FirstGroup + part);

    (* ram_style = "distributed" *) logic [SegmentLen*Bits-1:0] mem [2*hotnas_pkg::WgtEntries];
    logic [SegmentLen*Bits-1:0] weights_q;
    always_ff @(posedge clk_i) begin
      if (weight_we_i && mine) mem[waddr] <= lanes_i[FirstLane*Bits +: SegmentLen*Bits];
      if (load_i) weights_q <= mem[raddr];
    end
    assign weights_o[part*SegmentLen*Bits +: SegmentLen*Bits] = weights_q;

    if (hotnas_pkg::Patterns > 1 && HasPattern) begin : gen_patterns
      logic [SegmentLen*2-1:0] indices;
      for (genvar lane = 0; lane < SegmentLen; lane++) begin : gen_lane
        assign indices[lane*2 +: 2] = lanes_i[(FirstLane+lane)*Bits +: 2];
      end
      logic [SegmentLen*2-1:0] slot0_q, slot1_q, patterns_q;
      always_ff @(posedge clk_i) begin
        if (pattern_we_i && mine && !slot_i) slot0_q <= indices;
        if (pattern_we_i && mine && slot_i) slot1_q <= indices;
        if (load_i) patterns_q <= pruned_i ? (load_slot_i ? slot1_q : slot0_q) : '0;
      end
      assign patterns_o[part*SegmentLen*2 +: SegmentLen*2] = patterns_q;
    end else begin : gen_no_patterns
      assign patterns_o[part*SegmentLen*2 +: SegmentLen*2] = '0;
      logic unused;
      assign unused = pattern_we_i ^ pruned_i;
    end
  end

  logic [31:0] bias0_q, bias1_q;
  always_ff @(posedge clk_i) begin
    if (bias_we_i && bias_beat_i == 16'(Row / BiasPerBeat)) begin
      if (slot_i) bias1_q <= bias_i[(Row % BiasPerBeat)*32 +: 32];
      else bias0_q <= bias_i[(Row % BiasPerBeat)*32 +: 32];
    end
    if (load_bias_i) bias_o <= load_bias_slot_i ? bias1_q : bias0_q;
  end

endmodule
