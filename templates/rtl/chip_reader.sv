// Memory on chip, read in runs of words as axi_read_master reads DRAM: the first word comes two cycles after
// its run's address, the others and those of the next run behind it, one a cycle while they may be read. Each
// reader has a memory of its own.
module chip_reader #(
  parameter int unsigned Width = 128,
  parameter int unsigned Depth = 1024,
  parameter bit          Waits = 1'b1  // a word may wait to be taken
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  // words written
  input  logic             we_i,
  input  logic [(Depth > 1 ? $clog2(Depth) : 1)-1:0] waddr_i,
  input  logic [Width-1:0] wdata_i,
  // runs to read
  input  logic             run_valid_i,
  output logic             run_ready_o,
  input  logic [63:0]      run_addr_i,   // byte address, aligned to a word
  input  logic [31:0]      run_words_i,  // at least 1
  input  logic             readable_i,   // the next word may be read
  output logic             read_o,       // pulse: it is
  output logic             waits_o,      // it is wanted, and may not be read yet
  // words read
  output logic             word_valid_o,
  input  logic             word_ready_i,
  output logic [Width-1:0] word_o
);

  localparam int unsigned AddrBits  = Depth > 1 ? $clog2(Depth) : 1;
  localparam int unsigned WordShift = $clog2(Width / 8);

  logic [AddrBits-1:0] addr_q, held_q, raddr;
  logic [31:0]         left_q;         // words still to be read
  logic                any_q, last_q;  // there are, there is one
  logic                read_q, read_moves, out_moves, issue, take;
  logic [Width-1:0]    read;

  // A stage moves on when the next one takes its word; a word that waits is read again.
  assign out_moves   = !Waits || !word_valid_o || word_ready_i;
  assign read_moves  = !read_q || out_moves;
  assign issue       = any_q && read_moves && readable_i;
  assign read_o      = issue;
  assign waits_o     = any_q && !readable_i;
  assign run_ready_o = !any_q || (last_q && read_moves && readable_i);
  assign take        = run_valid_i && run_ready_o;
  assign raddr       = issue ? addr_q : held_q;

  sdp_ram #(.Width(Width), .Depth(Depth), .Ultra(hotnas_pkg::UltraRam == 1)) u_ram (
    .clk_i,
    .we_i,
    .waddr_i,
    .wdata_i,
    .raddr_i (raddr),
    .rdata_o (read)
  );

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      any_q        <= 1'b0;
      read_q       <= 1'b0;
      word_valid_o <= 1'b0;
    end else begin
      if (take || issue) any_q <= take || !last_q;
      if (read_moves) read_q <= issue;
      if (out_moves) word_valid_o <= read_q;
    end
  end

  always_ff @(posedge clk_i) begin
    held_q <= raddr;
    if (take) begin
      addr_q <= run_addr_i[WordShift +: AddrBits];
      left_q <= run_words_i;
      last_q <= run_words_i == 32'd1;
    end else if (issue) begin
      addr_q <= addr_q + 1'b1;
      left_q <= left_q - 32'd1;
      last_q <= left_q == 32'd2;
    end
    if (out_moves) word_o <= read;
  end

  logic unused;
  assign unused = ^{run_addr_i, word_ready_i};

endmodule
