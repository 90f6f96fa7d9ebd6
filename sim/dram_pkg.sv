// The storage of dram.cpp, for the simulated memories.
package dram_pkg;
  import "DPI-C" function int dram_load(input int region, input longint offset, input string path);
  import "DPI-C" function int dram_dump(input int region, input string path);
  import "DPI-C" function void dram_read(input int region, input longint address, input int bytes,
                                         output bit [511:0] beat);
  import "DPI-C" function void dram_write(input int region, input longint address, input int bytes,
                                          input bit [511:0] beat);
  import "DPI-C" function int dram_stray_writes();
endpackage
