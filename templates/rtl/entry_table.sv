// Entry table of the layer, its kernel positions: written in beats of m_axi_wgt, read one 32-bit entry at a time.
module entry_table (
  input  logic        clk_i,
  input  logic        we_i,
  input  logic [7:0]  beat_i,
  input  logic [hotnas_pkg::WgtPortBits-1:0] wdata_i,
  input  logic [7:0]  entry_i,
  output logic [31:0] rdata_o
);

  localparam int unsigned PerBeat  = hotnas_pkg::WgtPortBits / 32;
  localparam int unsigned Beats    = (hotnas_pkg::DescriptorBytes * 8 - hotnas_pkg::FetchedBits) / hotnas_pkg::WgtPortBits;
  localparam int unsigned BeatBits = Beats > 1 ? $clog2(Beats) : 1;

  logic [hotnas_pkg::WgtPortBits-1:0] mem [Beats];
  logic [hotnas_pkg::WgtPortBits-1:0] beat;

  always_ff @(posedge clk_i) if (we_i) mem[BeatBits'(beat_i)] <= wdata_i;

  assign beat    = mem[BeatBits'(32'(entry_i) / PerBeat)];
  assign rdata_o = beat[(32'(entry_i) % PerBeat) * 32 +: 32];

endmodule
