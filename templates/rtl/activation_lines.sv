// The activation of one channel: a line for each of 64 segments of what an activation can be, the lines of the
// layer in work and of the one fetched ahead. Latency 3: line, rise, sum.
module activation_lines (
  input  logic        clk_i,
  input  logic        we_i,      // a beat of lines, as the descriptor brings them
  input  logic        wbank_i,
  input  logic [5:0]  beat_i,
  input  logic [hotnas_pkg::WgtPortBits-1:0] wdata_i,
  input  logic        bank_i,
  input  logic [hotnas_pkg::ActBits-1:0] act_i,
  output logic [hotnas_pkg::ActBits-1:0] act_o
);

  localparam int unsigned ActBits  = hotnas_pkg::ActBits;
  localparam int unsigned Segments = 64;
  localparam int unsigned Within   = ActBits - $clog2(Segments);  // bits of a place in a segment
  localparam int unsigned Shift    = 16 - $clog2(Segments);
  localparam int unsigned PerBeat  = hotnas_pkg::WgtPortBits / 32;
  localparam int unsigned BeatBits = $clog2(Segments / PerBeat);
  localparam int unsigned AddrBits = hotnas_pkg::SharedBus != 0 ? BeatBits : BeatBits + 1;
  localparam int unsigned SumBits  = Within + 18;

  logic [hotnas_pkg::WgtPortBits-1:0] mem [2**AddrBits];
  logic [hotnas_pkg::WgtPortBits-1:0] beat;
  logic [5:0]         segment;
  logic signed [15:0] base_q, base_d_q, rise_q;
  logic [Within-1:0]  place_q;
  logic signed [SumBits-1:0] product_q, sum;
  logic [SumBits-Shift-ActBits:0] sign;  // its copies, where an activation holds the sum

  always_ff @(posedge clk_i) if (we_i) mem[AddrBits'({wbank_i, BeatBits'(beat_i)})] <= wdata_i;

  assign segment = act_i[ActBits-1 -: 6];
  assign beat    = mem[AddrBits'({bank_i, BeatBits'(32'(segment) / PerBeat)})];
  assign sum     = (SumBits'(base_d_q) <<< Within) + product_q + (SumBits'(1) << (Shift - 1));

  assign sign    = sum[SumBits-1 : Shift+ActBits-1];

  always_ff @(posedge clk_i) begin
    {rise_q, base_q} <= beat[(32'(segment) % PerBeat) * 32 +: 32];
    place_q          <= act_i[Within-1:0];
    base_d_q         <= base_q;
    product_q        <= SumBits'(rise_q) * SumBits'($signed({1'b0, place_q}));
    if (sign == '0 || sign == '1) act_o <= sum[Shift +: ActBits];
    else act_o <= {sum[SumBits-1], {(ActBits-1){!sum[SumBits-1]}}};
  end

  logic unused;
  assign unused = ^beat_i;  // wide ports bring several lines a beat

endmodule
