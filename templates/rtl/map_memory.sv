// Where the feature maps of a layer lie: hands runs of words to a port of DRAM, or to the maps kept on chip.
// These are read by two, load_ifm and the residual, each from a memory of its own: the residual's has the first
// words alone.
module map_memory (
  input  logic          clk_i,
  input  logic          rst_ni,
  input  logic [hotnas_pkg::HeaderBits-1:0] cfg_i,       // hotnas_pkg::descriptor_t
  input  logic [hotnas_pkg::HeaderBits-1:0] load_cfg_i,  // of the layer that load_ifm works on
  // load_ifm: runs and words
  input  logic          ifm_run_valid_i,
  output logic          ifm_run_ready_o,
  input  logic [63:0]   ifm_run_addr_i,
  input  logic [31:0]   ifm_run_words_i,
  input  logic [31:0]   ifm_run_beats_i,  // of them, in DRAM
  output logic          ifm_word_valid_o,
  input  logic          ifm_word_ready_i,
  output logic [hotnas_pkg::WordBits-1:0] ifm_word_o,
  input  logic          ifm_readable_i,  // the next word may be read on chip
  output logic          ifm_read_o,      // pulse: it is
  output logic          ifm_waits_o,     // it is wanted, and may not be read yet
  // the residual: runs and words
  input  logic          res_run_valid_i,
  output logic          res_run_ready_o,
  input  logic [63:0]   res_run_addr_i,
  input  logic [31:0]   res_run_words_i,
  output logic          res_word_valid_o,
  input  logic          res_word_ready_i,
  output logic [hotnas_pkg::WordBits-1:0] res_word_o,
  // store_ofm: runs and words
  input  logic          ofm_run_valid_i,
  output logic          ofm_run_ready_o,
  input  logic [63:0]   ofm_run_addr_i,
  input  logic [31:0]   ofm_run_words_i,
  input  logic          ofm_word_valid_i,
  output logic          ofm_word_ready_o,
  input  logic [hotnas_pkg::WordBits-1:0] ofm_word_i,
  output logic          ofm_kept_o,      // pulse: a word is written on chip
  // DRAM: the same runs, at the same addresses, in beats
  output logic          ifm_run_valid_o,
  input  logic          ifm_run_ready_i,
  output logic [31:0]   ifm_run_beats_o,
  input  logic          ifm_beat_valid_i,
  output logic          ifm_beat_ready_o,
  input  logic [hotnas_pkg::IfmPortBits-1:0] ifm_beat_i,
  // DRAM: the same runs, at the same addresses, in beats
  output logic          res_run_valid_o,
  input  logic          res_run_ready_i,
  output logic [31:0]   res_run_beats_o,
  input  logic          res_beat_valid_i,
  output logic          res_beat_ready_o,
  input  logic [hotnas_pkg::OfmPortBits-1:0] res_beat_i,
  output logic          ofm_run_valid_o,
  input  logic          ofm_run_ready_i,
  output logic [31:0]   ofm_run_beats_o,
  output logic          ofm_beat_valid_o,
  input  logic          ofm_beat_ready_i,
  output logic [hotnas_pkg::OfmPortBits-1:0] ofm_beat_o
);

  localparam int unsigned Word        = hotnas_pkg::WordBits;
  localparam int unsigned Words       = hotnas_pkg::MapWords;
  localparam int unsigned AddrBits    = Words > 1 ? $clog2(Words) : 1;
  localparam int unsigned ResWords    = hotnas_pkg::ResidualWords;
  localparam int unsigned ResAddrBits = ResWords > 1 ? $clog2(ResWords) : 1;

  hotnas_pkg::descriptor_t cfg, load_cfg;
  assign cfg      = cfg_i;
  assign load_cfg = load_cfg_i;

  logic                ifm_chip_run_valid, ifm_chip_run_ready, ifm_chip_valid;
  logic                res_chip_run_valid, res_chip_run_ready, res_chip_valid, res_chip_ready;
  logic [Word-1:0]     ifm_chip_word, res_chip_word;
  logic                chip_we;
  logic [AddrBits-1:0] chip_addr;

  word_reader #(.BeatBits(hotnas_pkg::IfmPortBits), .WordBits(Word), .OnChip(Words != 0), .Trims(1'b1)) u_ifm (
    .clk_i,
    .rst_ni,
    .on_chip_i        (load_cfg.ifm_on_chip),
    .keeps_i          (1'b0),
    .beats_i          (load_cfg.ifm_word_beats),
    .run_beats_i      (ifm_run_beats_i),
    .run_valid_i      (ifm_run_valid_i),
    .run_ready_o      (ifm_run_ready_o),
    .run_words_i      (ifm_run_words_i),
    .word_valid_o     (ifm_word_valid_o),
    .word_ready_i     (ifm_word_ready_i),
    .word_o           (ifm_word_o),
    .joined_o         (),
    .run_valid_o      (ifm_run_valid_o),
    .run_ready_i      (ifm_run_ready_i),
    .run_beats_o      (ifm_run_beats_o),
    .beat_valid_i     (ifm_beat_valid_i),
    .beat_ready_o     (ifm_beat_ready_o),
    .beat_i           (ifm_beat_i),
    .chip_run_valid_o (ifm_chip_run_valid),
    .chip_run_ready_i (ifm_chip_run_ready),
    .chip_valid_i     (ifm_chip_valid),
    .chip_ready_o     (),
    .chip_word_i      (ifm_chip_word)
  );

  word_reader #(.BeatBits(hotnas_pkg::OfmPortBits), .WordBits(Word), .OnChip(ResWords != 0)) u_res (
    .clk_i,
    .rst_ni,
    .on_chip_i        (cfg.res_on_chip),
    .keeps_i          (1'b0),
    .beats_i          ('0),
    .run_beats_i      ('0),
    .run_valid_i      (res_run_valid_i),
    .run_ready_o      (res_run_ready_o),
    .run_words_i      (res_run_words_i),
    .word_valid_o     (res_word_valid_o),
    .word_ready_i     (res_word_ready_i),
    .word_o           (res_word_o),
    .joined_o         (),
    .run_valid_o      (res_run_valid_o),
    .run_ready_i      (res_run_ready_i),
    .run_beats_o      (res_run_beats_o),
    .beat_valid_i     (res_beat_valid_i),
    .beat_ready_o     (res_beat_ready_o),
    .beat_i           (res_beat_i),
    .chip_run_valid_o (res_chip_run_valid),
    .chip_run_ready_i (res_chip_run_ready),
    .chip_valid_i     (res_chip_valid),
    .chip_ready_o     (res_chip_ready),
    .chip_word_i      (res_chip_word)
  );

  word_writer #(.BeatBits(hotnas_pkg::OfmPortBits), .WordBits(Word), .ChipWords(Words)) u_ofm (
    .clk_i,
    .rst_ni,
    .on_chip_i    (cfg.ofm_on_chip),
    .run_valid_i  (ofm_run_valid_i),
    .run_ready_o  (ofm_run_ready_o),
    .run_addr_i   (ofm_run_addr_i),
    .run_words_i  (ofm_run_words_i),
    .word_valid_i (ofm_word_valid_i),
    .word_ready_o (ofm_word_ready_o),
    .word_i       (ofm_word_i),
    .run_valid_o  (ofm_run_valid_o),
    .run_ready_i  (ofm_run_ready_i),
    .run_beats_o  (ofm_run_beats_o),
    .beat_valid_o (ofm_beat_valid_o),
    .beat_ready_i (ofm_beat_ready_i),
    .beat_o       (ofm_beat_o),
    .chip_we_o    (chip_we),
    .chip_addr_o  (chip_addr)
  );

  assign ofm_kept_o = chip_we;

  if (Words == 0) begin : gen_none
    assign {ifm_chip_run_ready, ifm_chip_valid, ifm_chip_word} = '0;
    assign {ifm_read_o, ifm_waits_o} = '0;
    logic unused_chip;
    assign unused_chip = ^{ifm_run_addr_i, ifm_chip_run_valid, chip_addr, ifm_readable_i};
  end else begin : gen_on_chip
    chip_reader #(.Width(Word), .Depth(Words), .Waits(1'b0)) u_ifm_maps (
      .clk_i,
      .rst_ni,
      .we_i         (chip_we),
      .waddr_i      (chip_addr),
      .wdata_i      (ofm_word_i),
      .run_valid_i  (ifm_chip_run_valid),
      .run_ready_o  (ifm_chip_run_ready),
      .run_addr_i   (ifm_run_addr_i),
      .run_words_i  (ifm_run_words_i),
      .readable_i   (ifm_readable_i),
      .read_o       (ifm_read_o),
      .waits_o      (ifm_waits_o),
      .word_valid_o (ifm_chip_valid),
      .word_ready_i (1'b1),  // load_ifm takes every word it asked for
      .word_o       (ifm_chip_word)
    );
  end

  if (ResWords == 0) begin : gen_no_residuals
    assign {res_chip_run_ready, res_chip_valid, res_chip_word} = '0;
    logic unused_residuals;
    assign unused_residuals = ^{res_run_addr_i, res_chip_run_valid, res_chip_ready};
  end else begin : gen_residuals
    logic we;
    if (ResWords == Words) begin : gen_all
      assign we = chip_we;
    end else begin : gen_first
      assign we = chip_we && (chip_addr < AddrBits'(ResWords));
    end
    chip_reader #(.Width(Word), .Depth(ResWords)) u_res_maps (
      .clk_i,
      .rst_ni,
      .we_i         (we),
      .waddr_i      (chip_addr[ResAddrBits-1:0]),
      .wdata_i      (ofm_word_i),
      .run_valid_i  (res_chip_run_valid),
      .run_ready_o  (res_chip_run_ready),
      .run_addr_i   (res_run_addr_i),
      .run_words_i  (res_run_words_i),
      .readable_i   (1'b1),
      .read_o       (),
      .waits_o      (),
      .word_valid_o (res_chip_valid),
      .word_ready_i (res_chip_ready),
      .word_o       (res_chip_word)
    );
  end

  logic unused;
  assign unused = ^{cfg, load_cfg};

endmodule
