// Entry tables, the kernel positions of the layer in work and of the one fetched ahead: written in beats of
// m_axi_wgt, read one entry at a time. Where nothing comes ahead there is one of them.
module entry_table (
  input  logic        clk_i,
  input  logic        we_i,
  input  logic        wbank_i,
  input  logic [7:0]  beat_i,
  input  logic [hotnas_pkg::WgtPortBits-1:0] wdata_i,
  input  logic        bank_i,
  input  logic [7:0]  entry_i,
  output logic [hotnas_pkg::EntryBits-1:0] rdata_o
);

  localparam int unsigned PerBeat  = hotnas_pkg::WgtPortBits / hotnas_pkg::EntryBits;
  localparam int unsigned Beats    = hotnas_pkg::TableRows / PerBeat;
  localparam int unsigned BeatBits = Beats > 1 ? $clog2(Beats) : 1;
  localparam int unsigned AddrBits = hotnas_pkg::SharedBus != 0 ? BeatBits : BeatBits + 1;

  logic [hotnas_pkg::WgtPortBits-1:0] mem [2**AddrBits];
  logic [hotnas_pkg::WgtPortBits-1:0] beat;

  always_ff @(posedge clk_i) if (we_i) mem[AddrBits'({wbank_i, BeatBits'(beat_i)})] <= wdata_i;

  assign beat    = mem[AddrBits'({bank_i, BeatBits'(32'(entry_i) / PerBeat)})];
  assign rdata_o = beat[(32'(entry_i) % PerBeat) * hotnas_pkg::EntryBits +: hotnas_pkg::EntryBits];

endmodule
