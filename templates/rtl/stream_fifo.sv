// First-word fall-through FIFO with valid/ready handshakes on both sides, no bubbles.
module stream_fifo #(
  parameter int unsigned Width = 8,
  parameter int unsigned Depth = 16  // power of two
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             valid_i,
  output logic             ready_o,
  input  logic [Width-1:0] data_i,
  output logic             valid_o,
  input  logic             ready_i,
  output logic [Width-1:0] data_o
);

  localparam int unsigned PtrBits = $clog2(Depth);

  logic [Width-1:0] mem [Depth];
  logic [PtrBits:0] head_q, tail_q;  // one bit more than an address tells full from empty

  assign ready_o = (head_q - tail_q) != (PtrBits + 1)'(Depth);
  assign valid_o = head_q != tail_q;
  assign data_o  = mem[tail_q[PtrBits-1:0]];

  always_ff @(posedge clk_i) begin
    if (valid_i && ready_o) mem[head_q[PtrBits-1:0]] <= data_i;
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      head_q <= '0;
      tail_q <= '0;
    end else begin
      if (valid_i && ready_o) head_q <= head_q + 1'b1;
      if (valid_o && ready_i) tail_q <= tail_q + 1'b1;
    end
  end

endmodule
