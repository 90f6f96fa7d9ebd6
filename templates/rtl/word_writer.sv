// Writes a feature map in runs of words: to DRAM, where a word leaves in one beat of the port or several,
// lowest channels first, or to memory on chip, one word a cycle.
module word_writer #(
  parameter int unsigned BeatBits  = 128,
  parameter int unsigned WordBits  = 128,
  parameter int unsigned ChipWords = 0
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                on_chip_i,    // of the layer's map
  // runs and words of the layer
  input  logic                run_valid_i,
  output logic                run_ready_o,
  input  logic [63:0]         run_addr_i,   // byte address, aligned to a word
  input  logic [31:0]         run_words_i,
  input  logic                word_valid_i,
  output logic                word_ready_o,
  input  logic [WordBits-1:0] word_i,
  // runs and beats of the port
  output logic                run_valid_o,
  input  logic                run_ready_i,
  output logic [31:0]         run_beats_o,
  output logic                beat_valid_o,
  input  logic                beat_ready_i,
  output logic [BeatBits-1:0] beat_o,
  // words on chip
  output logic                chip_we_o,
  output logic [(ChipWords > 1 ? $clog2(ChipWords) : 1)-1:0] chip_addr_o
);

  localparam int unsigned Beats     = WordBits / BeatBits;
  localparam int unsigned AddrBits  = ChipWords > 1 ? $clog2(ChipWords) : 1;
  localparam int unsigned WordShift = $clog2(WordBits / 8);

  logic on_chip;
  logic whole;  // the beat is the last one of its word
  logic chip_run_ready, chip_ready;

  assign on_chip      = (ChipWords != 0) && on_chip_i;
  assign run_valid_o  = run_valid_i && !on_chip;
  assign run_ready_o  = on_chip ? chip_run_ready : run_ready_i;
  assign run_beats_o  = run_words_i * Beats;
  assign beat_valid_o = word_valid_i && !on_chip;
  assign word_ready_o = on_chip ? chip_ready : beat_ready_i && whole;

  if (Beats == 1) begin : gen_whole
    assign whole  = 1'b1;
    assign beat_o = word_i;
  end else begin : gen_beats
    logic [$clog2(Beats)-1:0] beat_q;
    assign whole  = beat_q == ($clog2(Beats))'(Beats - 1);
    assign beat_o = word_i[32'(beat_q)*BeatBits +: BeatBits];
    always_ff @(posedge clk_i) begin
      if (!rst_ni) beat_q <= '0;
      else if (beat_valid_o && beat_ready_i) beat_q <= beat_q + 1'b1;
    end
  end

  if (ChipWords == 0) begin : gen_no_chip
    assign chip_run_ready = 1'b0;
    assign chip_ready     = 1'b0;
    assign chip_we_o      = 1'b0;
    assign chip_addr_o    = '0;
    logic unused;
    assign unused = ^{clk_i, rst_ni, run_addr_i};
  end else begin : gen_chip
    logic [31:0] left_q;
    assign chip_run_ready = (left_q == '0) || (chip_we_o && (left_q == 32'd1));
    assign chip_ready     = left_q != '0;
    assign chip_we_o      = word_valid_i && chip_ready;
    always_ff @(posedge clk_i) begin
      if (!rst_ni) left_q <= '0;
      else if (run_valid_i && on_chip && chip_run_ready) left_q <= run_words_i;
      else if (chip_we_o) left_q <= left_q - 32'd1;
      if (run_valid_i && on_chip && chip_run_ready) chip_addr_o <= run_addr_i[WordShift +: AddrBits];
      else if (chip_we_o) chip_addr_o <= chip_addr_o + 1'b1;
    end
    logic unused;
    assign unused = ^run_addr_i;
  end

endmodule
