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

  logic [Width-1:0]   mem [Depth];
  logic [PtrBits-1:0] head_q, tail_q;
  logic [PtrBits:0]   count_q;
  logic               ready_q, valid_q, put, get;  // registers of their own: they reach across modules

  assign put     = valid_i && ready_o;
  assign get     = valid_o && ready_i;
  assign ready_o = ready_q;
  assign valid_o = valid_q;
  assign data_o  = mem[tail_q];

  always_ff @(posedge clk_i) if (put) mem[head_q] <= data_i;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      head_q  <= '0;
      tail_q  <= '0;
      count_q <= '0;
      ready_q <= 1'b1;
      valid_q <= 1'b0;
    end else begin
      if (put) head_q <= head_q + 1'b1;
      if (get) tail_q <= tail_q + 1'b1;
      if (put && !get) count_q <= count_q + 1'b1;
      if (get && !put) count_q <= count_q - 1'b1;
      if (put != get) ready_q <= get || count_q != (PtrBits + 1)'(Depth - 1);
      if (put != get) valid_q <= put || count_q != (PtrBits + 1)'(1);
    end
  end

endmodule
