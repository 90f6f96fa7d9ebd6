// Properties of stream_fifo: occupancy, order, no loss and no duplication, by one arbitrary place in its ring.
//: depth 4
//: set Width 3
//: set Depth 4
//: mutant never_over_full
//:   assign ready_o = ready_q;
//:   assign ready_o = 1'b1;
//: mutant ready_while_room
//:   if (put != get) ready_q <= get || count_q != (PtrBits + 1)'(Depth - 1);
//:   if (put != get) ready_q <= count_q != (PtrBits + 1)'(Depth - 1);
//: mutant valid_when_held
//:   if (put != get) valid_q <= put || count_q != (PtrBits + 1)'(1);
//:   if (put != get) valid_q <= put;
//: mutant held_as_counted
//:   if (get && !put) count_q <= count_q - 1'b1;
//:   if (get) count_q <= count_q - 1'b1;
//: mutant in_order
//:   assign data_o  = mem[tail_q];
//:   assign data_o  = mem[head_q];
//: mutant kept_until_taken
//:   if (put) mem[head_q] <= data_i;
//:   if (valid_i) mem[head_q] <= data_i;

  (* anyconst *) logic [PtrBits-1:0] place;  // of an arbitrary word
  logic               inside_q;            // the word is in the FIFO
  logic [Width-1:0] word_q;
  logic [PtrBits:0] held_q;                // words pushed and not popped
  logic [PtrBits-1:0] before;              // words in front of it
  assign before = place - tail_q;
  logic [PtrBits-1:0] between;
  assign between = head_q - tail_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      inside_q <= 1'b0;
      held_q   <= '0;
    end else begin
      held_q <= held_q + (PtrBits + 1)'(valid_i && ready_o) - (PtrBits + 1)'(valid_o && ready_i);
      if (valid_i && ready_o && head_q == place) begin
        inside_q <= 1'b1;
        word_q   <= data_i;
      end else if (valid_o && ready_i && tail_q == place) begin
        inside_q <= 1'b0;
      end
    end
  end

  always_ff @(posedge clk_i) if (formal_started_q) begin
    never_over_full: assert (held_q <= Depth);
    valid_when_held: assert (valid_o == (held_q != '0));
    ready_while_room: assert (ready_o == (held_q != Depth));
    held_as_counted: assert (held_q == count_q && held_q[PtrBits-1:0] == between);
    if (inside_q && tail_q == place) in_order: assert (data_o == word_q);
    if (inside_q) kept_until_taken: assert (mem[place] == word_q && {1'b0, before} < held_q);
  end
