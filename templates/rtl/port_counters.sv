// Beats of every port, and cycles in which it waited for memory, since the last start. A counter that is full
// stays so.
module port_counters (
  input  logic         clk_i,
  input  logic         clear_i,   // pulse: a run begins
  input  logic [3:0]   beats_i,   // m_axi_ofm write, residual, wgt, ifm: a beat has moved
  input  logic [3:0]   stalls_i,  // it waits for memory
  output logic [255:0] counts_o   // beats and stalls of ifm, wgt, residual, write; 32 bits each
);

  for (genvar port = 0; port < 4; port++) begin : gen_port
    for (genvar kind = 0; kind < 2; kind++) begin : gen_kind
      logic [31:0] count_q;
      logic        event_now;
      assign event_now = kind == 0 ? beats_i[port] : stalls_i[port];
      assign counts_o[32*(2*port+kind) +: 32] = count_q;
      always_ff @(posedge clk_i) begin
        if (clear_i) count_q <= '0;
        else if (event_now && count_q != '1) count_q <= count_q + 32'd1;
      end
    end
  end

endmodule
