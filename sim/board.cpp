// The simulated board of board.h: tb_top with one physical memory behind all three AXI ports.
#include "board.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "Vtop.h"
#include "svdpi.h"
#include "verilated.h"

namespace {

constexpr int kResetCycles = 8;
constexpr std::uint64_t kLine = 64;       // bytes of a cache line
constexpr std::uint64_t kDisturbed = 64;  // cycles between two lines that the cache replaces or fetches
constexpr int kBusCycles = 1000;  // a register access that takes longer never ends

std::vector<std::uint8_t> g_memory;
int g_stray_writes = 0;

// The bytes at a physical address, null where there is no memory.
std::uint8_t* bytes_at(std::uint64_t address, std::uint64_t bytes) {
  const std::uint64_t offset = address - BOARD_MEMORY_BASE;
  if (address < BOARD_MEMORY_BASE || bytes > g_memory.size() || offset > g_memory.size() - bytes)
    return nullptr;
  return g_memory.data() + offset;
}

// A buffer of the processor: cached lines of memory.
struct Mapping {
  std::uint8_t* cpu;
  std::uint64_t address;
  bool cached;                      // or each side sees the other's writes after a barrier
  std::vector<std::uint8_t> clean;  // what the lines held when cache and memory last agreed

  std::uint64_t lines() const { return (clean.size() + kLine - 1) / kLine; }
  std::uint64_t size(std::uint64_t line) const { return std::min(kLine, clean.size() - line * kLine); }
  bool dirty(std::uint64_t line) const {
    return std::memcmp(cpu + line * kLine, &clean[line * kLine], size(line)) != 0;
  }
  void write_back(std::uint64_t line) {
    std::memcpy(bytes_at(address + line * kLine, size(line)), cpu + line * kLine, size(line));
    std::memcpy(&clean[line * kLine], cpu + line * kLine, size(line));
  }
  void agree(std::uint64_t line) { dirty(line) ? write_back(line) : fill(line); }
  void fill(std::uint64_t line) {
    std::memcpy(cpu + line * kLine, bytes_at(address + line * kLine, size(line)), size(line));
    std::memcpy(&clean[line * kLine], cpu + line * kLine, size(line));
  }
};

std::vector<Mapping> g_mappings;
std::minstd_rand g_random;

// Applies `change` to the lines of a mapped buffer that `bytes` at `cpu` touch.
template <typename Change>
void for_each_line(const void* cpu, std::uint64_t bytes, Change change) {
  for (Mapping& mapping : g_mappings) {
    const std::uint64_t first = static_cast<const std::uint8_t*>(cpu) - mapping.cpu;
    if (first >= mapping.clean.size()) continue;
    for (std::uint64_t line = first / kLine; line * kLine < first + bytes && line < mapping.lines(); ++line)
      change(mapping, line);
  }
}

// What caches do by themselves: a line is replaced, or fetched.
void disturb() {
  if (g_mappings.empty()) return;
  Mapping& mapping = g_mappings[g_random() % g_mappings.size()];
  if (mapping.cached) mapping.agree(g_random() % mapping.lines());
}

class Board {
 public:
  Board(int read_latency, int write_latency) {
    const char* name = "board";
    context_.commandArgs(1, &name);
    top_.read_latency_i = read_latency;
    top_.write_latency_i = write_latency;
    top_.rst_n = 0;
    top_.eval();  // starts the clock
    for (int i = 0; i < kResetCycles; ++i) tick();
    top_.rst_n = 1;
    tick();
  }
  ~Board() { top_.final(); }

  // Runs to just after the next rising edge of the clock.
  void tick() {
    do {
      if (!top_.eventsPending()) fail("the clock has stopped");
      context_.time(top_.nextTimeSlot());
      top_.eval();
    } while (!top_.clk);
    if (++cycles_ % kDisturbed == 0) disturb();
  }

  std::uint32_t read(std::uint32_t offset) {
    top_.s_axi_control_ARADDR = offset;
    handshake(top_.s_axi_control_ARVALID, top_.s_axi_control_ARREADY);
    const auto take = [&] { return top_.s_axi_control_RDATA; };
    return handshake(top_.s_axi_control_RREADY, top_.s_axi_control_RVALID, take);
  }

  void write(std::uint32_t offset, std::uint32_t value) {
    top_.s_axi_control_AWADDR = offset;
    handshake(top_.s_axi_control_AWVALID, top_.s_axi_control_AWREADY);
    top_.s_axi_control_WDATA = value;
    top_.s_axi_control_WSTRB = 0xF;
    handshake(top_.s_axi_control_WVALID, top_.s_axi_control_WREADY);
    handshake(top_.s_axi_control_BREADY, top_.s_axi_control_BVALID);
  }

  void fail_page(int port, std::uint64_t address) {
    top_.error_port_i = port;
    top_.error_page_i = address >> 12;
  }

  std::uint64_t cycles() const { return cycles_; }
  bool interrupt() const { return top_.__SYM__interrupt; }  // Verilator avoids the C++ word
  int violations() const { return static_cast<int>(top_.violations_o); }

 private:
  [[noreturn]] static void fail(const char* what) {
    std::fprintf(stderr, "simulated board: %s\n", what);
    std::abort();
  }

  void handshake(CData& mine, const CData& theirs) {
    handshake(mine, theirs, [] { return 0U; });
  }

  // Offers `mine` until a clock edge at which `theirs` stands too; returns what `take` sees there.
  template <typename Take>
  std::uint32_t handshake(CData& mine, const CData& theirs, Take take) {
    mine = 1;
    for (int cycle = 0; cycle < kBusCycles; ++cycle) {
      top_.eval();
      const bool taken = theirs;
      const std::uint32_t seen = take();
      tick();
      if (taken) {
        mine = 0;
        return seen;
      }
    }
    fail("a register access never ended");
  }

  VerilatedContext context_;
  Vtop top_{&context_};
  std::uint64_t cycles_ = 0;
};

std::unique_ptr<Board> g_board;

}  // namespace

extern "C" {

void board_open(std::uint64_t memory_bytes, int read_latency, int write_latency) {
  g_board.reset();
  g_memory.assign(memory_bytes, 0xA5);
  g_stray_writes = 0;
  g_random.seed(1);
  g_mappings.clear();
  g_board = std::make_unique<Board>(read_latency, write_latency);
}

void board_close() {
  g_board.reset();
  g_mappings.clear();
  g_memory.clear();
}

std::uint32_t board_read(std::uint32_t offset) { return g_board->read(offset); }
void board_write(std::uint32_t offset, std::uint32_t value) { g_board->write(offset, value); }
std::uint64_t board_cycles() { return g_board->cycles(); }
int board_interrupt() { return g_board->interrupt(); }
void board_fail_page(int port, std::uint64_t address) { g_board->fail_page(port, address); }
int board_violations() { return g_board->violations() + g_stray_writes; }

void board_run(std::uint64_t cycles) {
  for (; cycles > 0; --cycles) g_board->tick();
}

int board_map(void* cpu, std::uint64_t address, std::uint64_t bytes, int cached) {
  const std::uint8_t* held = bytes_at(address, bytes);
  if (bytes == 0 || held == nullptr) return 0;
  g_mappings.push_back({static_cast<std::uint8_t*>(cpu), address, cached != 0, {held, held + bytes}});
  return 1;
}

void board_flush(void* cpu, std::uint64_t bytes) {
  for_each_line(cpu, bytes, [](Mapping& mapping, std::uint64_t line) {
    if (mapping.dirty(line)) mapping.write_back(line);
  });
}

void board_invalidate(void* cpu, std::uint64_t bytes) {
  for_each_line(cpu, bytes, [](Mapping& mapping, std::uint64_t line) { mapping.fill(line); });
}

void board_barrier() {
  for (Mapping& mapping : g_mappings) {
    for (std::uint64_t line = 0; !mapping.cached && line < mapping.lines(); ++line) mapping.agree(line);
  }
}

// What dram_pkg.sv imports. All ports see one memory, so the region does not matter.
int dram_load(int, long long, const char*) { return 0; }
int dram_dump(int, const char*) { return 0; }

void dram_read(int, long long address, int bytes, svBitVecVal* beat) {
  const std::uint8_t* from = bytes_at(address, bytes);
  std::memset(beat, 0, bytes);
  if (from != nullptr) std::memcpy(beat, from, bytes);
}

void dram_write(int, long long address, int bytes, const svBitVecVal* beat) {
  std::uint8_t* to = bytes_at(address, bytes);
  if (to != nullptr)
    std::memcpy(to, beat, bytes);
  else
    ++g_stray_writes;
}

int dram_stray_writes() { return 0; }  // counted in board_violations

}  // extern "C"
