// Simple dual-port RAM: one write port, one read port with a registered output (latency 1).
// Reading the word being written returns the old one. Up to LutDepth words it is LUT RAM, above block RAM,
// so that every vendor's tools build what the resource model counts. On request it is UltraRAM.
module sdp_ram #(
  parameter int unsigned Width = 16,
  parameter int unsigned Depth = 16,
  parameter bit          Ultra = 1'b0
) (
  input  logic                                     clk_i,
  input  logic                                     we_i,
  input  logic [(Depth > 1 ? $clog2(Depth) : 1)-1:0] waddr_i,
  input  logic [Width-1:0]                         wdata_i,
  input  logic [(Depth > 1 ? $clog2(Depth) : 1)-1:0] raddr_i,
  output logic [Width-1:0]                         rdata_o
);

  localparam int unsigned LutDepth = 64;  // words one LUT holds

  if (Ultra) begin : gen_ultra_ram
    (* ram_style = "ultra" *) logic [Width-1:0] mem [Depth];
    always_ff @(posedge clk_i) begin
      if (we_i) mem[waddr_i] <= wdata_i;
      rdata_o <= mem[raddr_i];
    end
  end else if (Depth <= LutDepth) begin : gen_lut_ram
    (* ram_style = "distributed" *) logic [Width-1:0] mem [Depth];
    always_ff @(posedge clk_i) begin
      if (we_i) mem[waddr_i] <= wdata_i;
      rdata_o <= mem[raddr_i];
    end
  end else begin : gen_block_ram
    (* ram_style = "block" *) logic [Width-1:0] mem [Depth];
    always_ff @(posedge clk_i) begin
      if (we_i) mem[waddr_i] <= wdata_i;
      rdata_o <= mem[raddr_i];
    end
  end

endmodule
