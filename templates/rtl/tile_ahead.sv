// Has load_ifm read the first tile of the layer fetched while the one in work computes and stores, where that
// tile lies on chip. The layer in work may be the one that writes it: its descriptor says how the order of
// writing and that of reading fit (ifm_after). So many words are written before the first one is read, and one
// more for each behind it; all may be read when the layer has written its last.
module tile_ahead (
  input  logic          clk_i,
  input  logic          rst_ni,
  input  logic          idle_i,        // no run is in work
  input  logic          running_i,     // a layer is in work
  input  logic          layer_start_i, // pulse: a layer begins
  input  logic          wanted_i,      // the layer fetched will begin, and reads on chip
  input  logic [hotnas_pkg::HeaderBits-1:0] cfg_i,  // hotnas_pkg::descriptor_t, of the layer fetched
  output logic          take_o,        // pulse: load_ifm takes that descriptor
  output logic          start_o,       // pulse: load_ifm begins with that tile
  output logic          came_o,        // it works, or has worked, on it
  output logic          there_o,       // the tile is there, or does not come ahead
  input  logic          all_in_i,      // load_ifm has all tiles of the layer in work
  input  logic          tile_in_i,     // load_ifm has every tile it could ask for
  input  logic          written_i,     // pulse: the layer in work has written a word on chip
  input  logic          stored_i,      // it has written all of them
  input  logic          read_i,        // pulse: load_ifm reads a word
  output logic          readable_o     // it may
);

  // The words written less those that had to be; below zero load_ifm waits.
  localparam int unsigned CountBits = $clog2(hotnas_pkg::MapWords + 1) + 2;

  hotnas_pkg::descriptor_t cfg;
  assign cfg = cfg_i;

  typedef enum logic [1:0] {Rest, Take, Start, Load} state_e;
  state_e               state_q;
  logic                 free_q;  // the layer in work does not write what is read
  logic [CountBits-1:0] spare_q;

  assign take_o     = state_q == Take;
  assign start_o    = state_q == Start;
  assign came_o     = state_q == Load;
  assign there_o    = (state_q == Rest) ? !wanted_i : (came_o && tile_in_i);
  assign readable_o = !came_o || free_q || stored_i || !spare_q[CountBits-1];

  always_ff @(posedge clk_i) begin
    if (!rst_ni || idle_i) state_q <= Rest;
    else begin
      unique case (state_q)
        Rest: if (running_i && wanted_i && all_in_i) state_q <= Take;
        Take: state_q <= Start;
        Start: state_q <= Load;
        Load: if (layer_start_i) state_q <= Rest;
        default: state_q <= Rest;
      endcase
    end
  end

  always_ff @(posedge clk_i) begin
    if (take_o) free_q <= cfg.ifm_after == '0;
    if (layer_start_i) spare_q <= '0;
    else
      spare_q <= spare_q + CountBits'(written_i) - CountBits'(came_o && read_i)
                 - (take_o ? CountBits'(cfg.ifm_after) : '0);
  end

  logic unused;
  assign unused = ^cfg;

endmodule
