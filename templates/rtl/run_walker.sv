// Emits the runs of a box of a feature map: for each channel block, `runs` runs of `words` words.
// start_i comes with the box, at the earliest while the last run of the one before is taken; its first run is
// offered in the next cycle, then one a cycle.
module run_walker (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        start_i,
  input  logic [63:0] addr_i,          // of the first run
  input  logic [15:0] blocks_i,
  input  logic [31:0] block_stride_i,  // bytes
  input  logic [15:0] runs_i,          // per block
  input  logic [31:0] run_stride_i,    // bytes
  input  logic [31:0] words_i,         // per run
  output logic        run_valid_o,
  input  logic        run_ready_i,
  output logic [63:0] run_addr_o,
  output logic [31:0] run_words_o,
  output logic        block_last_o,    // the run offered is the last one of its block
  output logic        last_o           // the run offered is the last one
);

  logic        valid_q, last_block_q, last_run_q;  // of the box, of the block
  logic [15:0] runs_q;
  logic [31:0] words_q;
  logic [63:0] block_addr_q, addr_q;
  logic [15:0] blocks_left_q, runs_left_q;
  logic        free, moves, opens;  // a box may begin; the run offered may change; it may be a block's first

  assign run_valid_o = valid_q;
  assign run_addr_o  = addr_q;
  assign run_words_o = words_q;
  assign block_last_o = last_run_q;
  assign last_o      = last_block_q && last_run_q;

  // A box is taken in wherever one may begin, so that what starts it reaches valid_q alone.
  assign free  = !valid_q || last_o;
  assign moves = !valid_q || run_ready_i;
  assign opens = !valid_q || last_run_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) valid_q <= 1'b0;
    else if (moves) valid_q <= start_i || !free;
  end

  logic [63:0] next_addr;
  assign next_addr = free ? addr_i : (last_run_q ? block_addr_q : addr_q)
                                     + 64'(last_run_q ? block_stride_i : run_stride_i);

  always_ff @(posedge clk_i) begin
    if (moves) begin
      addr_q <= next_addr;
      if (opens) block_addr_q <= next_addr;
      if (free) begin
        runs_q  <= runs_i;
        words_q <= words_i;
      end
      if (opens) begin
        blocks_left_q <= free ? blocks_i : blocks_left_q - 1'b1;
        last_block_q  <= free ? blocks_i == 16'd1 : blocks_left_q == 16'd2;
      end
      runs_left_q <= free ? runs_i : last_run_q ? runs_q : runs_left_q - 1'b1;
      last_run_q  <= free ? runs_i == 16'd1 : last_run_q ? runs_q == 16'd1 : runs_left_q == 16'd2;
    end
  end

endmodule
