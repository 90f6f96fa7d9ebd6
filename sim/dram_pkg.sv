// The storage of dram.cpp and the DRAM of dram_timing.cpp, for the simulated memories.
package dram_pkg;
  import "DPI-C" function int dram_load(input int region, input longint offset, input string path);
  import "DPI-C" function int dram_dump(input int region, input string path);
  import "DPI-C" function void dram_read(input int region, input longint address, input int bytes,
                                         output bit [511:0] beat);
  import "DPI-C" function void dram_write(input int region, input longint address, input int bytes,
                                          input bit [511:0] beat);
  import "DPI-C" function int dram_stray_writes();
  import "DPI-C" function int dram_configure(input string path);
  import "DPI-C" function void dram_reset();
  import "DPI-C" function int dram_outstanding();
  import "DPI-C" function int dram_fifo_beats();
  import "DPI-C" function void dram_ask(input int port, input int is_write, input int region,
                                        input longint address, input int beats, input int beat_bytes,
                                        input longint cycle);
  import "DPI-C" function int dram_take_beat(input int port, input longint cycle, input longint taken);
  import "DPI-C" function int dram_take_answer(input int port, input longint cycle, input longint taken);
endpackage
