// Where the weights of a layer lie: hands load_wgt's runs of planes to the port of DRAM, or to the weights
// kept on chip. These are loaded when a layer that keeps them runs for the first time: load_wgt waits for
// them. They stay until a layer names others (wgt_id), or an error came while they were loaded.
module weight_memory (
  input  logic          clk_i,
  input  logic          rst_ni,
  input  logic [hotnas_pkg::HeaderBits-1:0] cfg_i,  // hotnas_pkg::descriptor_t
  input  logic [63:0]   base_i,       // byte address of `wgt`
  input  logic          start_i,      // pulse: the weights of the layer in cfg_i are wanted
  output logic          start_o,      // pulse: load_wgt may ask for them
  input  logic          error_i,      // pulse: a beat came with an error
  // load_wgt: runs and planes
  input  logic          load_run_valid_i,
  output logic          load_run_ready_o,
  input  logic [63:0]   load_run_addr_i,
  input  logic [31:0]   load_run_planes_i,
  output logic          plane_valid_o,
  input  logic          plane_ready_i,
  output logic [hotnas_pkg::PlaneBits-1:0] plane_o,
  // DRAM: runs and beats
  output logic          run_valid_o,
  input  logic          run_ready_i,
  output logic [63:0]   run_addr_o,
  output logic [31:0]   run_beats_o,
  input  logic          beat_valid_i,
  output logic          beat_ready_o,
  input  logic [hotnas_pkg::WgtPortBits-1:0] beat_i
);

  localparam int unsigned Plane      = hotnas_pkg::PlaneBits;
  localparam int unsigned Planes     = hotnas_pkg::WeightPlanes;
  localparam int unsigned PlaneShift = $clog2(Plane / 8);
  localparam int unsigned AddrBits   = Planes > 1 ? $clog2(Planes) : 1;

  hotnas_pkg::descriptor_t cfg;
  assign cfg = cfg_i;

  logic             filling;  // those on chip are loaded
  logic             reader_run_valid, reader_run_ready, reader_valid, reader_ready;
  logic [31:0]      reader_run_planes;
  logic             chip_run_valid, chip_run_ready, chip_valid;
  logic [Plane-1:0] chip_plane, joined;

  word_reader #(.BeatBits(hotnas_pkg::WgtPortBits), .WordBits(Plane), .OnChip(Planes != 0)) u_planes (
    .clk_i,
    .rst_ni,
    .on_chip_i        (cfg.wgt_on_chip),
    .keeps_i          (filling),
    .beats_i          ('0),
    .run_beats_i      ('0),
    .run_valid_i      (reader_run_valid),
    .run_ready_o      (reader_run_ready),
    .run_words_i      (reader_run_planes),
    .word_valid_o     (reader_valid),
    .word_ready_i     (reader_ready),
    .word_o           (plane_o),
    .joined_o         (joined),
    .run_valid_o,
    .run_ready_i,
    .run_beats_o,
    .beat_valid_i,
    .beat_ready_o,
    .beat_i,
    .chip_run_valid_o (chip_run_valid),
    .chip_run_ready_i (chip_run_ready),
    .chip_valid_i     (chip_valid),
    .chip_ready_o     (),
    .chip_word_i      (chip_plane)
  );

  if (Planes == 0) begin : gen_none
    assign filling           = 1'b0;
    assign start_o           = start_i;
    assign reader_run_valid  = load_run_valid_i;
    assign reader_run_planes = load_run_planes_i;
    assign load_run_ready_o  = reader_run_ready;
    assign run_addr_o        = load_run_addr_i;
    assign plane_valid_o     = reader_valid;
    assign reader_ready      = plane_ready_i;
    assign {chip_run_ready, chip_valid, chip_plane} = '0;
    logic unused_chip;
    assign unused_chip = ^{base_i, error_i, chip_run_valid, joined};
  end else begin : gen_on_chip
    typedef enum logic [1:0] {Ready, Ask, Fill, Begin} state_e;
    state_e              state_q;
    logic [31:0]         loaded_q, first, left_q;  // planes loaded; the layer's first; those still to come
    logic [31:0]         id_q;                     // of the weights that are loaded
    logic [AddrBits-1:0] addr_q;
    logic [63:0]         fill_addr_q;              // of the layer's weights
    logic                missing_q, filling_q, asks_q, we;  // filling: not Ready; asks: Ask

    assign first   = cfg.wgt_chip >> PlaneShift;
    assign filling = filling_q;
    assign start_o = (state_q == Begin) || (start_i && !missing_q);
    assign we      = (state_q == Fill) && reader_valid;

    assign reader_run_valid  = asks_q || (load_run_valid_i && !filling);
    assign reader_run_planes = asks_q ? cfg.wgt_planes : load_run_planes_i;
    assign load_run_ready_o  = reader_run_ready && !filling;
    assign run_addr_o        = asks_q ? fill_addr_q : load_run_addr_i;
    assign plane_valid_o     = reader_valid && !filling;
    assign reader_ready      = filling || plane_ready_i;

    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        state_q  <= Ready;
        {filling_q, asks_q} <= '0;
        loaded_q <= '0;
      end else begin
        unique case (state_q)
          Ready: if (start_i && missing_q) begin
            state_q <= Ask;
            {filling_q, asks_q} <= '1;
          end
          Ask: if (reader_run_ready) begin
            state_q <= Fill;
            asks_q  <= 1'b0;
          end
          Fill: if (we && (left_q == 32'd1)) begin
            state_q  <= Begin;
            loaded_q <= first + cfg.wgt_planes;
          end
          default: begin
            state_q   <= Ready;
            filling_q <= 1'b0;
          end
        endcase
        // Behind an error nothing of it is taken for loaded.
        if (error_i) loaded_q <= '0;
      end
    end

    always_ff @(posedge clk_i) begin
      // Known a cycle before they are asked for: behind a descriptor's header comes its entry table.
      missing_q   <= cfg.wgt_on_chip && ((loaded_q <= first) || (id_q != cfg.wgt_id));
      fill_addr_q <= base_i + 64'(cfg.wgt_addr);
      if (state_q == Ask) begin
        left_q <= cfg.wgt_planes;
        addr_q <= AddrBits'(first);
        id_q   <= cfg.wgt_id;
      end else if (we) begin
        left_q <= left_q - 32'd1;
        addr_q <= addr_q + 1'b1;
      end
    end

    chip_reader #(.Width(Plane), .Depth(Planes), .Waits(1'b0)) u_kept (
      .clk_i,
      .rst_ni,
      .we_i         (we),
      .waddr_i      (addr_q),
      .wdata_i      (joined),
      .run_valid_i  (chip_run_valid),
      .run_ready_o  (chip_run_ready),
      .run_addr_i   (load_run_addr_i),
      .run_words_i  (load_run_planes_i),
      .readable_i   (1'b1),
      .read_o       (),
      .waits_o      (),
      .word_valid_o (chip_valid),
      .word_ready_i (1'b1),  // load_wgt takes every plane it asked for
      .word_o       (chip_plane)
    );
  end

  logic unused;
  assign unused = ^cfg;

endmodule
