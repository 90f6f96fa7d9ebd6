// Ends a run early and leaves the bus as AXI wants it. Once no beat of a write is on offer the engine is held in
// reset; the masters then forget what they have not offered, take what they asked for and fill up what they began
// to write. When nothing is in flight the run has ended, and the next one begins as after a reset.
module abort_control (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic abort_i,       // pulse
  input  logic running_i,     // a run is in work
  input  logic write_held_i,  // a beat of a write is on offer and not taken
  input  logic quiet_i,       // nothing is in flight on any port
  output logic aborting_o,
  output logic drain_o,       // the engine is in reset, the masters drain
  output logic engine_rst_no, // both are registers of their own: they reach everywhere
  output logic ended_o        // pulse: the run has ended so
);

  typedef enum logic [1:0] {Idle, Wait, Drain} state_e;
  state_e state_q, next;

  assign aborting_o = state_q != Idle;
  assign ended_o    = drain_o && quiet_i && running_i;

  always_comb begin
    next = state_q;
    unique case (state_q)
      Idle: if (abort_i && running_i) next = Wait;
      Wait: if (!running_i) next = Idle;  // it has ended by itself
      else if (!write_held_i) next = Drain;
      Drain: if (quiet_i) next = Idle;
      default: next = Idle;
    endcase
  end

  always_ff @(posedge clk_i) begin
    state_q       <= rst_ni ? next : Idle;
    drain_o       <= rst_ni && (next == Drain);
    engine_rst_no <= rst_ni && (next != Drain);
  end

endmodule
