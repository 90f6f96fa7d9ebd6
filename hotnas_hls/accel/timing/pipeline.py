"""Depths of the pipelines in ``templates/rtl``, in cycles, named after what they lie between."""

from __future__ import annotations

TOKEN = 2  # beat taken -> token counted by compute (one register each side)
IFM_ADDRESS = 5  # ifm_loader: WaitHalf -> Clip, Size, Request, run, address on AXI
SECOND_REQUEST = 4  # between a loader's first two requests: both buffers are free
WGT_ADDRESS = 4  # wgt_loader: WaitSlot -> Planes, Size, Request, address on AXI
JOBS_AHEAD = 1  # wgt_loader: jobs in DRAM that are asked for before the slot of the job two before is free
STORE_DRAIN = 4  # ofm_store: Wait -> Count, Size, walkers start, first accumulator read
RESIDUAL_DRAIN = 5  # ofm_store: Wait -> first residual address on AXI
DRAIN_BEAT = 6  # accumulator read -> word on AXI: bank, block, sum, shift, clamp, FIFO
LINE_STAGES = 3  # of a design with activations of lines, behind the clamp: line, rise, sum
PRODUCT_STAGES = 3  # of a design with products of maps, behind those: product, shift, clamp
ARRAY_STAGES = 6  # compute_ctrl.ToStore without the adder tree
STRIPED_READ = 1  # striped_reads: beats of all masters there -> joined beat
FILL_ADDRESS = 2  # weight_memory: start_i -> its run, address on AXI
AHEAD = 2  # layer_sequencer: the layer's last weight beat -> the next descriptor is asked for
TILE_TAKE = 3  # tile_ahead: descriptor and tiles there -> Take, Start, load_ifm waits for a half
CHIP_READ = 2  # chip_reader: address -> word, of memory on chip: RAM, output register
CHIP_WRITTEN = 1  # word written on chip -> it is read
MAX_HIDDEN_LATENCY = 60  # read latency that Outstanding bursts of one beat still cover
