// On-chip IFM: two halves of IfmDepth words for every channel block of a slice, in as many copies as
// there are read ports (one a tap, or four when kernels may follow four patterns).
module ifm_buffer (
  input  logic                  clk_i,
  input  logic                  we_i,
  input  logic [15:0]           wblock_i,
  input  logic [hotnas_pkg::IfmAddrBits-1:0]   waddr_i,
  input  logic [hotnas_pkg::WordBits-1:0] wdata_i,
  input  logic [hotnas_pkg::ReadPorts*hotnas_pkg::IfmAddrBits-1:0] raddr_i,
  output logic [hotnas_pkg::ReadPorts*hotnas_pkg::Tn*hotnas_pkg::ActBits-1:0] rdata_o  // one cycle later
);

  localparam int unsigned Blocks = hotnas_pkg::Tn / hotnas_pkg::ChannelBlock;

  for (genvar port = 0; port < hotnas_pkg::ReadPorts; port++) begin : gen_port
    for (genvar block = 0; block < Blocks; block++) begin : gen_block
      sdp_ram #(
        .Width (hotnas_pkg::WordBits),
        .Depth (2 * hotnas_pkg::IfmDepth)
      ) u_ram (
        .clk_i,
        .we_i    (we_i && (wblock_i == 16'(block))),
        .waddr_i,
        .wdata_i,
        .raddr_i (raddr_i[port*hotnas_pkg::IfmAddrBits +: hotnas_pkg::IfmAddrBits]),
        .rdata_o (rdata_o[(port*Blocks+block)*hotnas_pkg::WordBits +: hotnas_pkg::WordBits])
      );
    end
  end

endmodule
