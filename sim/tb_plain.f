// The bench without cocotb, behind ../rtl/hotnas_accel.f; compile dram.cpp and dram_timing.cpp with it (DPI).
dram_pkg.sv
axi_memory.sv
axi_checker.sv
axi_lite_checker.sv
tb_top.sv
tb_plain.sv
