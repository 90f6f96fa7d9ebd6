// When the simulated DRAM answers: one DRAM behind every AXI port, one data bus, one controller.
//
// The controller takes AXI bursts, cut where a DRAM row ends, and grants them one at a time: round robin
// over the ports, reads and writes of a port apart, one direction for at most `run_length` grants while
// the other waits. A grant is made as late as its row can still be opened before the data bus is free.
// A row that is open costs `cas`; a closed bank `rcd` more; another open row `rp` more still. Turning the
// bus costs `read_to_write`, or `write_to_read` and `cas`. Every `refresh_interval` all banks close for
// `refresh`. Data pass on the bus in the order of the grants; each way through the interconnect takes
// `path`. hotnas_hls/accel/memory/dram.py is the same schedule for the latency model; a test compares both.
//
// Times are picoseconds. A call tells the cycle it is made in; what is asked in a cycle reaches the
// controller later than that cycle, so the order of calls within a cycle does not matter.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <limits>
#include <memory>
#include <vector>

namespace {

using Time = std::int64_t;

constexpr Time kNever = std::numeric_limits<Time>::max();
constexpr std::int64_t kNoRow = -1;

// The file dram_configure reads: these numbers, 64 bits each (DramNumbers in accel/memory/dram_timing.py).
struct Numbers {
  Time cycle;                 // of the accelerator's clock
  Time access;                // one burst of 8 transfers on the data bus
  std::int64_t access_bytes;  // what it moves
  std::int64_t row_bytes;
  std::int64_t banks;
  Time cas, rcd, rp, ras;
  Time write_recovery;        // end of write data to precharge
  Time write_to_read;         // end of write data to read command
  Time read_to_write;         // gap on the data bus
  Time activate_gap;          // between two activations
  Time refresh_interval, refresh;
  Time path;                  // interconnect and controller, each way
  std::int64_t outstanding;   // bursts of a port and direction in flight
  std::int64_t fifo_beats;    // of them, at most
  std::int64_t run_length;
  std::int64_t weights_base;  // where region 1 lies, region 2 as far again
  Time first_refresh;         // after the first burst arrives
};

struct Piece {  // the part of an AXI burst that lies in one DRAM row
  Time arrival;
  std::int64_t address;
  int beats;
  bool last;  // of its burst
  Time start = 0, end = 0;  // on the data bus
};

struct Requester {  // a port's reads, or its writes
  std::deque<Piece> waiting, granted;
  int beat_bytes = 0;
  int beat = 0;  // next one of granted[0]
};

struct Bank {
  std::int64_t row = kNoRow;
  Time ready = 0;   // earliest activation with no row open, earliest precharge with one
  Time opened = 0;  // earliest column command of the row
};

class Dram {
 public:
  explicit Dram(const Numbers& numbers) : n_(numbers), banks_(numbers.banks) {}

  std::int64_t outstanding() const { return n_.outstanding; }
  std::int64_t fifo_beats() const { return n_.fifo_beats; }

  void ask(int port, bool write, std::int64_t address, int beats, int beat_bytes, std::int64_t cycle) {
    Requester& requester = of_port(port, write);
    requester.beat_bytes = beat_bytes;
    const Time arrival = cycle * n_.cycle + n_.path;
    if (refresh_ == kNever) refresh_ = arrival + n_.first_refresh;
    while (beats > 0) {
      const auto row_beats = static_cast<int>((n_.row_bytes - address % n_.row_bytes) / beat_bytes);
      const int part = std::min(beats, row_beats);
      requester.waiting.push_back({arrival, address, part, part == beats});
      address += static_cast<std::int64_t>(part) * beat_bytes;
      beats -= part;
    }
  }

  // Whether the next beat of a port's reads can be taken in cycle `taken`; if so, it is. The caller's
  // clock stands at `cycle`, at most one before.
  bool take_beat(int port, std::int64_t cycle, std::int64_t taken) {
    grant_until(cycle * n_.cycle);
    Requester& reads = of_port(port, false);
    if (reads.granted.empty()) return false;
    const Piece& piece = reads.granted.front();
    const std::int64_t through = piece.address % n_.access_bytes +
                                 static_cast<std::int64_t>(reads.beat + 1) * reads.beat_bytes;
    const std::int64_t accesses = (through + n_.access_bytes - 1) / n_.access_bytes;
    if (piece.start + accesses * n_.access + n_.path > taken * n_.cycle) return false;
    if (++reads.beat == piece.beats) {
      reads.beat = 0;
      reads.granted.pop_front();
    }
    return true;
  }

  // The same for the answer to a port's oldest write burst.
  bool take_answer(int port, std::int64_t cycle, std::int64_t taken) {
    grant_until(cycle * n_.cycle);
    std::deque<Piece>& granted = of_port(port, true).granted;
    while (!granted.empty() && !granted.front().last) granted.pop_front();
    if (granted.empty() || granted.front().end + n_.path > taken * n_.cycle) return false;
    granted.pop_front();
    return true;
  }

 private:
  // Ports are numbered: ifm, wgt, ofm, the other three of wgt, then those of the next engine.
  Requester& of_port(int port, bool write) {
    if (requesters_.size() < 2 * port + 2u) requesters_.resize(2 * port + 2);
    return requesters_[2 * port + write];
  }

  void grant_until(Time now) {
    while (true) {
      Time earliest = kNever;
      for (const Requester& requester : requesters_)
        if (!requester.waiting.empty()) earliest = std::min(earliest, requester.waiting.front().arrival);
      if (earliest == kNever) return;
      const Time at = std::max(earliest, bus_free_ - (n_.rp + n_.rcd + n_.cas));
      if (at > now) return;
      grant(at);
    }
  }

  void grant(Time at) {
    while (refresh_ <= at) {
      const Time done = std::max(refresh_, bus_free_) + n_.rp + n_.refresh;
      for (Bank& bank : banks_) bank = {kNoRow, done, 0};
      refresh_ += n_.refresh_interval;
    }
    last_ = next(at);
    Requester& requester = requesters_[last_];
    Piece piece = requester.waiting.front();
    requester.waiting.pop_front();

    const std::int64_t index = piece.address / n_.row_bytes;
    const std::int64_t row = index / n_.banks;
    Bank& bank = banks_[index % n_.banks];
    Time command = std::max(at, bank.opened);
    if (bank.row != row) {
      Time activate = std::max(at, bank.ready);
      if (bank.row != kNoRow) activate += n_.rp;
      activate = std::max(activate, activated_ + n_.activate_gap);
      activated_ = activate;
      command = activate + n_.rcd;
      bank = {row, activate + n_.ras, command};
    }
    const bool write = last_ % 2;
    if (write_ && !write) command = std::max(command, bus_free_ + n_.write_to_read);
    const Time gap = !write_ && write ? n_.read_to_write : 0;
    const std::int64_t bytes = piece.address % n_.access_bytes +
                               static_cast<std::int64_t>(piece.beats) * requester.beat_bytes;
    piece.start = std::max(command + n_.cas, bus_free_ + gap);
    piece.end = piece.start + (bytes + n_.access_bytes - 1) / n_.access_bytes * n_.access;
    bank.ready = std::max(bank.ready, piece.end + (write ? n_.write_recovery : 0));
    bus_free_ = piece.end;
    streak_ = write == write_ ? streak_ + 1 : 1;
    write_ = write;
    requester.granted.push_back(piece);
  }

  // The requester whose turn it is at a time when at least one waits.
  int next(Time at) const {
    const auto waits = [&](int requester) {
      const std::deque<Piece>& waiting = requesters_[requester].waiting;
      return !waiting.empty() && waiting.front().arrival <= at;
    };
    bool waiting[2] = {false, false};
    const int count = static_cast<int>(requesters_.size());
    for (int i = 0; i < count; ++i) waiting[i % 2] |= waits(i);
    bool write = waiting[1];
    if (waiting[0] && waiting[1]) write = streak_ < n_.run_length ? write_ : !write_;
    int turn = last_;
    do turn = (turn + 1) % count;
    while (turn % 2 != write || !waits(turn));
    return turn;
  }

  Numbers n_;
  std::vector<Bank> banks_;
  std::vector<Requester> requesters_;
  Time bus_free_ = 0, refresh_ = kNever, activated_ = 0;
  std::int64_t streak_ = 0;
  bool write_ = false;
  int last_ = 0;
};

std::unique_ptr<Numbers> g_numbers;  // none while the fixed-latency memory answers
std::unique_ptr<Dram> g_dram;

}  // namespace

extern "C" {

void dram_reset();

// Chooses the memory from now on: the DRAM of the file's numbers, the fixed-latency one if it is empty.
// No burst may be in flight. Returns 0 when the file cannot be read.
int dram_configure(const char* path) {
  std::FILE* file = std::fopen(path, "rb");
  if (file == nullptr) return 0;
  Numbers numbers;
  const std::size_t read = std::fread(&numbers, 1, sizeof numbers, file);
  std::fclose(file);
  g_numbers.reset();
  if (read == sizeof numbers) g_numbers.reset(new Numbers(numbers));
  dram_reset();
  return read == sizeof numbers || read == 0;
}

// All rows closed, nothing in flight, the refresh timer at rest until the first burst.
void dram_reset() {
  g_dram.reset();
  if (g_numbers) g_dram.reset(new Dram(*g_numbers));
}

// Bursts a port may have in flight in each direction; 0 while the fixed-latency memory answers.
int dram_outstanding() { return g_dram ? static_cast<int>(g_dram->outstanding()) : 0; }

// Beats of them, at most.
int dram_fifo_beats() { return g_dram ? static_cast<int>(g_dram->fifo_beats()) : 0; }

// A read burst's address is taken in `cycle`, or a write burst's last beat.
void dram_ask(int port, int write, int region, long long address, int beats, int beat_bytes, long long cycle) {
  g_dram->ask(port, write != 0, region * g_numbers->weights_base + address, beats, beat_bytes, cycle);
}

int dram_take_beat(int port, long long cycle, long long taken) {
  return g_dram->take_beat(port, cycle, taken);
}

int dram_take_answer(int port, long long cycle, long long taken) {
  return g_dram->take_answer(port, cycle, taken);
}

}  // extern "C"
