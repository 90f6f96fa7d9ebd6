// The Tm x Tn multiply-accumulate array: per output channel a weight row, a MAC row and an accumulator bank,
// or per two that share their DSP slices a MAC pair; beside them the Td lanes for layers that keep every
// channel to itself, fed by the weight rows 0 to Taps-1 and as many read ports.
module mac_array (
  input  logic          clk_i,
  input  logic [hotnas_pkg::HeaderBits-1:0] cfg_i,  // hotnas_pkg::descriptor_t
  input  logic [hotnas_pkg::ReadPorts*hotnas_pkg::Tn*hotnas_pkg::ActBits-1:0] ifm_i,  // S3
  // weight memory write port
  input  logic          slot_i,
  input  logic          bias_we_i,
  input  logic [15:0]   bias_beat_i,
  input  logic [hotnas_pkg::PlaneBits-1:0] bias_i,
  input  logic          pattern_we_i,
  input  logic          weight_we_i,
  input  logic [15:0]   group_i,
  input  logic [7:0]    entry_i,
  input  logic [hotnas_pkg::PlaneBits*hotnas_pkg::WgtBits-1:0] lanes_i,
  // weights in use
  input  logic          load_i,            // S2
  input  logic          load_slot_i,
  input  logic [7:0]    load_entry_i,
  input  logic          load_bias_i,       // S(3+TreeLevels)
  input  logic          load_bias_slot_i,
  // accumulators
  input  logic          acc_half_i,        // S(3+TreeLevels)
  input  logic [hotnas_pkg::AccAddrBits-1:0] acc_addr_i,
  input  logic          acc_valid_i,
  input  logic          acc_first_i,
  input  logic          acc_last_i,
  input  logic          drain_half_i,
  input  logic [hotnas_pkg::AccAddrBits-1:0] drain_addr_i,
  output logic [hotnas_pkg::Tm*hotnas_pkg::AccBits-1:0] drain_o  // one cycle later
);

  localparam int unsigned Acc  = hotnas_pkg::AccBits;
  localparam int unsigned Act  = hotnas_pkg::ActBits;
  localparam int unsigned Wgt  = hotnas_pkg::WgtBits;
  localparam int unsigned Sum  = hotnas_pkg::SumBits;
  localparam int unsigned Rows = hotnas_pkg::RowsPerDsp;

  hotnas_pkg::descriptor_t cfg;
  assign cfg = cfg_i;

  logic [hotnas_pkg::Taps*hotnas_pkg::Tn*Wgt-1:0] tap_weights;

  for (genvar g = 0; g < hotnas_pkg::Tm; g += Rows) begin : gen_group
    logic [Rows*hotnas_pkg::Tn*Wgt-1:0] weights;
    logic [Rows*hotnas_pkg::Tn*2-1:0]   patterns;
    logic [Rows*32-1:0]                 bias;
    logic [Rows*Sum-1:0]                sums;
    localparam bit Fabric = g >= hotnas_pkg::Tm - hotnas_pkg::FabricRows;

    if (Rows == 2) begin : gen_packed
      mac_pair #(
        .Fabric (Fabric)
      ) u_macs (
        .clk_i,
        .weights_i  (weights),
        .patterns_i (patterns[0 +: hotnas_pkg::Tn*2]),
        .ifm_i      (ifm_i[0 +: hotnas_pkg::Patterns*hotnas_pkg::Tn*hotnas_pkg::ActBits]),
        .sums_o     (sums)
      );
      logic unused;
      assign unused = ^patterns;
    end else begin : gen_single
      mac_row #(
        .Fabric (Fabric)
      ) u_macs (
        .clk_i,
        .weights_i  (weights),
        .patterns_i (patterns),
        .ifm_i      (ifm_i[0 +: hotnas_pkg::Patterns*hotnas_pkg::Tn*hotnas_pkg::ActBits]),
        .sum_o      (sums)
      );
    end

    for (genvar row = 0; row < Rows; row++) begin : gen_row
      localparam int unsigned M = g + row;
      logic signed [Sum-1:0] sum, term;
      assign sum = $signed(sums[row*Sum +: Sum]);

      weight_row #(
        .Row        (M),
        .HasPattern (row == 0)
      ) u_weights (
        .clk_i,
        .slot_i,
        .bias_we_i,
        .bias_beat_i,
        .bias_i,
        .pattern_we_i,
        .weight_we_i,
        .group_i,
        .entry_i,
        .lanes_i,
        .load_i,
        .load_slot_i,
        .load_entry_i,
        .load_bias_i,
        .load_bias_slot_i,
        .pruned_i   (cfg.pruned),
        .weights_o  (weights[row*hotnas_pkg::Tn*Wgt +: hotnas_pkg::Tn*Wgt]),
        .patterns_o (patterns[row*hotnas_pkg::Tn*2 +: hotnas_pkg::Tn*2]),
        .bias_o     (bias[row*32 +: 32])
      );

      if (M < hotnas_pkg::Taps) begin : gen_tap_row
        assign tap_weights[M*hotnas_pkg::Tn*Wgt +: hotnas_pkg::Tn*Wgt] =
          weights[row*hotnas_pkg::Tn*Wgt +: hotnas_pkg::Tn*Wgt];
      end

      if (M < hotnas_pkg::Td) begin : gen_channel
        logic signed [Sum-1:0] channel;
        logic [hotnas_pkg::Taps*Wgt-1:0] tap_weight;
        logic [hotnas_pkg::Taps*Act-1:0] tap_ifm;
        for (genvar tap = 0; tap < hotnas_pkg::Taps; tap++) begin : gen_tap
          assign tap_weight[tap*Wgt +: Wgt] = tap_weights[(tap*hotnas_pkg::Tn+M)*Wgt +: Wgt];
          assign tap_ifm[tap*Act +: Act]    = ifm_i[(tap*hotnas_pkg::Tn+M)*Act +: Act];
        end
        channel_lane u_channel (
          .clk_i,
          .reduce_max_i (cfg.reduce_max),
          .weights_i    (tap_weight),
          .ifm_i        (tap_ifm),
          .term_o       (channel)
        );
        assign term = cfg.channelwise ? channel : sum;
      end else begin : gen_no_channel
        assign term = sum;
      end

      acc_bank u_acc (
        .clk_i,
        .half_i       (acc_half_i),
        .addr_i       (acc_addr_i),
        .valid_i      (acc_valid_i),
        .first_i      (acc_first_i),
        .last_i       (acc_last_i),
        .reduce_max_i (cfg.reduce_max),
        .term_i       (term),
        .bias_i       (bias[row*32 +: 32]),
        .drain_half_i,
        .drain_addr_i,
        .drain_o      (drain_o[M*Acc +: Acc])
      );
    end
  end

  logic unused;
  assign unused = ^cfg;

endmodule
