// Emits the runs of a box of a feature map: for each channel block, `runs` runs of `words` words.
// start_i loads the box, at the earliest while the last run of the one before is taken; its first run is
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

  logic        valid_q;
  logic [15:0] runs_q;
  logic [31:0] words_q;
  logic [63:0] block_addr_q, addr_q;
  logic [15:0] blocks_left_q, runs_left_q;
  logic        accept;

  assign run_valid_o = valid_q;
  assign run_addr_o  = addr_q;
  assign run_words_o = words_q;
  assign block_last_o = runs_left_q == 16'd1;
  assign last_o      = (blocks_left_q == 16'd1) && block_last_o;
  assign accept      = valid_q && run_ready_i;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid_q       <= 1'b0;
      block_addr_q  <= '0;
      addr_q        <= '0;
      blocks_left_q <= '0;
      runs_left_q   <= '0;
      runs_q        <= '0;
      words_q       <= '0;
    end else if (start_i) begin
      valid_q       <= 1'b1;
      block_addr_q  <= addr_i;
      addr_q        <= addr_i;
      blocks_left_q <= blocks_i;
      runs_left_q   <= runs_i;
      runs_q        <= runs_i;
      words_q       <= words_i;
    end else if (accept) begin
      if (last_o) begin
        valid_q <= 1'b0;
      end else if (runs_left_q == 16'd1) begin
        block_addr_q  <= block_addr_q + 64'(block_stride_i);
        addr_q        <= block_addr_q + 64'(block_stride_i);
        blocks_left_q <= blocks_left_q - 1'b1;
        runs_left_q   <= runs_q;
      end else begin
        addr_q      <= addr_q + 64'(run_stride_i);
        runs_left_q <= runs_left_q - 1'b1;
      end
    end
  end

endmodule
