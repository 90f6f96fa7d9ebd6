// One AXI4 port of the simulated memory. A read's first beat is taken ReadLatency cycles after its
// address, later beats follow one a cycle; a write is answered WriteLatency cycles after its last beat.
// Bursts are served in order and any number may be in flight. Behind a DRAM (dram_timing.cpp, shared by
// all ports) beats and answers come when it has them, and few bursts may be in flight. stall_i withholds
// handshakes at random and draws, burst by burst, in which order a write's address and data are taken;
// error_i answers bursts to the error page with SLVERR or DECERR.
module axi_memory #(
  parameter int unsigned DataBits = 128,
  parameter int unsigned Port     = 0
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  int                  read_latency_i,   // at least 2
  input  int                  write_latency_i,  // at least 2
  input  int                  stall_i,          // chance of a stall in 256, per channel and cycle
  input  logic                error_i,
  input  logic [63:0]         error_page_i,     // 4 KiB page that answers with an error
  input  logic                error_decode_i,   // DECERR, not SLVERR
  input  logic                arvalid_i,
  output logic                arready_o,
  input  logic [63:0]         araddr_i,
  input  logic [7:0]          arlen_i,
  output logic                rvalid_o,
  input  logic                rready_i,
  output logic [DataBits-1:0] rdata_o,
  output logic [1:0]          rresp_o,
  output logic                rlast_o,
  input  logic                awvalid_i,
  output logic                awready_o,
  input  logic [63:0]         awaddr_i,
  input  logic [7:0]          awlen_i,
  input  logic                wvalid_i,
  output logic                wready_o,
  input  logic [DataBits-1:0] wdata_i,
  input  logic                wlast_i,
  output logic                bvalid_o,
  input  logic                bready_i,
  output logic [1:0]          bresp_o
);

  localparam int unsigned Bytes = DataBits / 8;
  localparam int unsigned RegionBit = 40, RegionBits = 8;  // of an address: the number of its region

  logic [1:0] error_code;
  assign error_code = error_decode_i ? 2'b11 : 2'b10;

  longint now_q;
  logic [31:0] random_q [5];  // one xorshift generator per channel

  function automatic logic [31:0] xorshift(input logic [31:0] x);
    logic [31:0] y;
    y = x ^ (x << 13);
    y = y ^ (y >> 17);
    return y ^ (y << 5);
  endfunction

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      now_q <= 0;
      for (int i = 0; i < 5; i++) random_q[i] <= 32'((Port + 1) * 5 + i + 1) * 32'h9E3779B1;
    end else begin
      now_q <= now_q + 1;
      for (int i = 0; i < 5; i++) random_q[i] <= xorshift(random_q[i]);
    end
  end

  logic [4:0] go;  // the channel may move in this cycle
  for (genvar i = 0; i < 5; i++) begin : gen_go
    assign go[i] = int'(random_q[i][23:16]) >= stall_i;
  end

  // ---------------------------------------------------------------- what limits bursts in flight
  int   limit_q, reading_q, writing_q;  // bursts; a limit of 0: none, and fixed latencies
  int   fifo_q, read_beats_q, write_beats_q, answered_beats_q;
  logic dram;
  assign dram = limit_q != 0;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      dram_pkg::dram_reset();
      reading_q     <= 0;
      writing_q     <= 0;
      read_beats_q  <= 0;
      write_beats_q <= 0;
    end else begin
      reading_q <= reading_q + int'(arvalid_i && arready_o) - int'(rvalid_o && rready_i && rlast_o);
      writing_q <= writing_q + int'(awvalid_i && awready_o) - int'(bvalid_o && bready_i);
      read_beats_q  <= read_beats_q + (arvalid_i && arready_o ? int'(arlen_i) + 1 : 0) - int'(rvalid_o && rready_i);
      write_beats_q <= write_beats_q + (awvalid_i && awready_o ? int'(awlen_i) + 1 : 0)
                       - (bvalid_o && bready_i ? answered_beats_q : 0);
    end
    limit_q <= dram_pkg::dram_outstanding();
    fifo_q  <= dram_pkg::dram_fifo_beats();
  end

  // ---------------------------------------------------------------- reads
  typedef struct {
    int     region;
    longint address;  // within the region
    int     beats;
    longint due;   // first cycle its first beat may be taken
  } burst_t;
  function automatic logic fails(input burst_t burst);
    return error_i && (64'(burst.region) << RegionBit | 64'(burst.address)) >> 12 == error_page_i;
  endfunction

  burst_t reads [$];
  int     beat_q;
  bit [511:0] beat;

  function automatic logic beat_due(input longint due);
    return dram ? dram_pkg::dram_take_beat(int'(Port), now_q, now_q + 1) != 0 : due <= now_q + 1;
  endfunction

  assign arready_o = go[0] && (!dram || (reading_q < limit_q && read_beats_q + int'(arlen_i) < fifo_q));

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      reads.delete();
      beat_q   <= 0;
      rvalid_o <= 1'b0;
    end else begin
      if (arvalid_i && arready_o && dram)
        dram_pkg::dram_ask(int'(Port), 0, int'(araddr_i[RegionBit+:RegionBits]), longint'(araddr_i[RegionBit-1:0]),
                           int'(arlen_i) + 1, int'(Bytes), now_q);
      if (arvalid_i && arready_o)
        reads.push_back('{int'(araddr_i[RegionBit+:RegionBits]), longint'(araddr_i[RegionBit-1:0]), int'(arlen_i) + 1, now_q + longint'(read_latency_i)});
      if (!rvalid_o || rready_i) begin
        if (reads.size() != 0 && go[1] && beat_due(reads[0].due)) begin
          dram_pkg::dram_read(reads[0].region, reads[0].address + longint'(beat_q) * longint'(Bytes), int'(Bytes), beat);
          rvalid_o <= 1'b1;
          rdata_o  <= beat[DataBits-1:0];
          rresp_o  <= fails(reads[0]) ? error_code : 2'b00;
          rlast_o  <= beat_q == reads[0].beats - 1;
          if (beat_q == reads[0].beats - 1) begin
            beat_q <= 0;
            void'(reads.pop_front());
          end else begin
            beat_q <= beat_q + 1;
          end
        end else begin
          rvalid_o <= 1'b0;
        end
      end
    end
  end

  // ---------------------------------------------------------------- writes
  typedef enum logic [1:0] {
    AddressFirst,      // data is taken after its address
    AddressWithData,   // an address is taken only while its data is offered
    DataFirst          // an address is taken after all its data
  } order_e;
  order_e            order_q;
  burst_t            writes [$];   // addresses taken, oldest first, without all their data
  burst_t            answers [$];
  bit [DataBits-1:0] beats [$];    // data taken, not yet stored
  int                wbeat_q;      // beats of writes[0] that are stored
  int                addresses_q;  // addresses taken less bursts of data taken
  logic              between_q;    // no burst's data is under way
  int                wbeat, addresses;
  logic              between;      // the next of those three

  function automatic logic answer_due(input longint due);
    return dram ? dram_pkg::dram_take_answer(int'(Port), now_q, now_q + 1) != 0 : due <= now_q + 1;
  endfunction

  function automatic order_e drawn();
    if (stall_i == 0) return AddressFirst;
    case (random_q[2][9:8])
      2'd1: return AddressWithData;
      2'd2: return DataFirst;
      default: return AddressFirst;
    endcase
  endfunction

  always_comb begin
    unique case (order_q)
      AddressWithData: {awready_o, wready_o} = {addresses_q == 0 && wvalid_i, addresses_q != 0};
      DataFirst: {awready_o, wready_o} = {addresses_q < 0, addresses_q == 0};
      default: {awready_o, wready_o} = {1'b1, addresses_q != 0};
    endcase
    awready_o = awready_o && go[2] && (!dram || (writing_q < limit_q && write_beats_q + int'(awlen_i) < fifo_q));
    wready_o  = wready_o && go[3];
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      writes.delete();
      answers.delete();
      beats.delete();
      order_q     <= AddressFirst;
      wbeat_q     <= 0;
      addresses_q <= 0;
      between_q   <= 1'b1;
      bvalid_o    <= 1'b0;
    end else begin
      if (awvalid_i && awready_o) writes.push_back('{int'(awaddr_i[RegionBit+:RegionBits]), longint'(awaddr_i[RegionBit-1:0]), int'(awlen_i) + 1, 0});
      if (wvalid_i && wready_o) begin
        beats.push_back(wdata_i);
        between = wlast_i;
      end else begin
        between = between_q;
      end
      addresses = addresses_q + int'(awvalid_i && awready_o) - int'(wvalid_i && wready_o && wlast_i);
      if (addresses == 0 && between && ((awvalid_i && awready_o) || (wvalid_i && wready_o) || stall_i == 0))
        order_q <= drawn();  // for the next burst
      addresses_q <= addresses;
      between_q   <= between;
      wbeat = wbeat_q;
      while (writes.size() != 0 && beats.size() != 0) begin
        dram_pkg::dram_write(writes[0].region, writes[0].address + longint'(wbeat) * longint'(Bytes), int'(Bytes),
                             512'(beats.pop_front()));
        wbeat = wbeat + 1;
        if (wbeat == writes[0].beats) begin
          wbeat = 0;
          if (dram)
            dram_pkg::dram_ask(int'(Port), 1, writes[0].region, writes[0].address, writes[0].beats, int'(Bytes), now_q);
          answers.push_back('{writes[0].region, writes[0].address, writes[0].beats, now_q + longint'(write_latency_i)});
          void'(writes.pop_front());
        end
      end
      wbeat_q <= wbeat;
      if (!bvalid_o || bready_i) begin
        if (answers.size() != 0 && go[4] && answer_due(answers[0].due)) begin
          bvalid_o <= 1'b1;
          bresp_o  <= fails(answers[0]) ? error_code : 2'b00;
          answered_beats_q <= answers[0].beats;
          void'(answers.pop_front());
        end else begin
          bvalid_o <= 1'b0;
        end
      end
    end
  end

endmodule
