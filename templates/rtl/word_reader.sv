// Reads a feature map in runs of words: from DRAM, where a word comes in one beat of the port or several,
// lowest channels first, or from memory on chip. A trimmed map leaves out the last beats of each word: zeros.
module word_reader #(
  parameter int unsigned BeatBits = 128,
  parameter int unsigned WordBits = 128,
  parameter bit          OnChip   = 1'b0,  // there is memory on chip
  parameter bit          Trims    = 1'b0   // maps may be trimmed
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                on_chip_i,    // of the layer's map
  input  logic                keeps_i,      // all the same words come from DRAM, as joined_o, to be kept there
  input  logic [7:0]          beats_i,      // of a word of the layer's map in DRAM, where maps may be trimmed,
  input  logic [31:0]         run_beats_i,  // and of a run of them
  // runs and words of the layer
  input  logic                run_valid_i,
  output logic                run_ready_o,
  input  logic [31:0]         run_words_i,
  output logic                word_valid_o,
  input  logic                word_ready_i,
  output logic [WordBits-1:0] word_o,
  output logic [WordBits-1:0] joined_o,
  // runs and beats of the port
  output logic                run_valid_o,
  input  logic                run_ready_i,
  output logic [31:0]         run_beats_o,
  input  logic                beat_valid_i,
  output logic                beat_ready_o,
  input  logic [BeatBits-1:0] beat_i,
  // the same runs on chip
  output logic                chip_run_valid_o,
  input  logic                chip_run_ready_i,
  input  logic                chip_valid_i,
  output logic                chip_ready_o,
  input  logic [WordBits-1:0] chip_word_i
);

  localparam int unsigned Beats = WordBits / BeatBits;

  logic                on_chip;
  logic                whole;  // the beat completes a word
  logic [WordBits-1:0] joined;

  assign on_chip          = OnChip && on_chip_i && !keeps_i;
  assign run_valid_o      = run_valid_i && !on_chip;
  assign chip_run_valid_o = run_valid_i && on_chip;
  assign run_ready_o      = on_chip ? chip_run_ready_i : run_ready_i;
  assign word_valid_o     = on_chip ? chip_valid_i : beat_valid_i && whole;
  assign joined_o         = joined;
  assign beat_ready_o     = word_ready_i && !on_chip;
  assign chip_ready_o     = word_ready_i && on_chip;

  // What chooses words is a register of its own: it reaches all of them, and they come cycles after it.
  if (OnChip) begin : gen_chosen
    logic chip_words_q;
    always_ff @(posedge clk_i) chip_words_q <= on_chip_i;
    assign word_o = chip_words_q ? chip_word_i : joined;
  end else begin : gen_joined
    assign word_o = joined;
    logic unused_chip;
    assign unused_chip = ^chip_word_i;
  end

  if (Beats == 1) begin : gen_whole
    assign run_beats_o = run_words_i;
    assign whole       = 1'b1;
    assign joined      = beat_i;
    logic unused;
    assign unused = clk_i ^ rst_ni ^ ^{beats_i, run_beats_i};
  end else if (Trims) begin : gen_trimmed
    logic [WordBits-BeatBits-1:0]  held_q;  // beats before the word's last, each in its place, behind them zeros
    logic [$clog2(Beats)-1:0]      beat_q, last_q;
    logic [Beats-1:0]              place;   // of the beat, one hot
    logic                          taken, whole_q, next_whole;
    assign run_beats_o = run_beats_i;
    assign taken       = beat_valid_i && beat_ready_o;
    assign whole       = whole_q;
    assign next_whole  = taken ? (whole_q ? last_q == '0 : (beat_q + 1'b1) == last_q) : beat_q == last_q;
    assign place       = Beats'(1) << beat_q;
    always_comb begin
      joined = WordBits'(held_q);
      for (int unsigned b = 0; b < Beats; b++) begin
        if (place[b]) joined[b*BeatBits+:BeatBits] = beat_i;
      end
    end
    always_ff @(posedge clk_i) begin
      last_q  <= ($clog2(Beats))'(beats_i - 1'b1);
      whole_q <= rst_ni ? next_whole : last_q == '0;
      if (!rst_ni || (taken && whole)) begin
        beat_q <= '0;
        held_q <= '0;
      end else if (taken) begin
        beat_q <= beat_q + 1'b1;
        for (int unsigned b = 0; b < Beats - 1; b++) begin
          if (place[b]) held_q[b*BeatBits+:BeatBits] <= beat_i;
        end
      end
    end
    logic unused;
    assign unused = ^{run_words_i, beats_i};
  end else begin : gen_beats
    logic [WordBits-BeatBits-1:0] held_q;  // beats before the word's last
    logic [$clog2(Beats)-1:0]     beat_q;
    assign run_beats_o = run_words_i * Beats;
    assign whole       = beat_q == ($clog2(Beats))'(Beats - 1);
    assign joined      = {beat_i, held_q};
    logic unused;
    assign unused = ^{beats_i, run_beats_i};
    always_ff @(posedge clk_i) begin
      if (!rst_ni) beat_q <= '0;
      else if (beat_valid_i && beat_ready_o) beat_q <= beat_q + 1'b1;
      if (beat_valid_i && beat_ready_o) held_q <= joined[WordBits-1:BeatBits];
    end
  end

endmodule
