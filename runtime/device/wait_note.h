// Who waits for what on the devices of this process, for whoever asks from outside: reports of
// hangs, made by any thread, and the commands of gdb (runtime/debug/canopy-gdb.py), which read the
// same memory without our help.
//
// Every fiber and every strand that is run has a note on a list, for as long as it lives. A fiber's
// note is written by the fiber's thread when a wait begins: words that are valid by themselves,
// because the block and its launch may be gone by the time they are read. Strands write nothing:
// what the oldest task waits for is read from its entry.
//
// The layouts are pinned: change kVersion with them, and the script.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

namespace canopy {

class Strand;
struct Sqe;

// How a word is compared with the wanted value; `none`: the wait is for no single word.
enum class WordTest : uint8_t {
  none,
  equal,
  not_equal,
  above,
  at_least,
  below,
  at_most,
  some_bits,
  all_bits,
  some_zero
};
// What a wait looks at.
struct WordFacts {
  const volatile void* address = nullptr;
  uint64_t wanted = 0;
  uint8_t bytes = 0;  // 1, 2, 4 or 8
  WordTest test = WordTest::none;
  bool is_signed = false;
};

struct FiberNote {
  FiberNote* next = nullptr;  // guarded by the list's mutex
  FiberNote* previous = nullptr;
  void* const* context = nullptr;             // where the registers of the parked fiber lie
  const std::atomic<bool>* parked = nullptr;  // whether they do
  std::atomic<const char*> what{nullptr};     // null: no wait
  std::atomic<const char*> kernel{nullptr};   // null: a stream waits, no block
  std::atomic<uint32_t> block{0};             // or the stream's number
  std::atomic<uint32_t> blocks{0};
  std::atomic<const volatile void*> address{nullptr};
  std::atomic<uint64_t> wanted{0};
  std::atomic<uint32_t> word{0};  // bytes, test << 8, is_signed << 16
};

struct StrandNote {
  StrandNote* next = nullptr;  // guarded by the list's mutex
  StrandNote* previous = nullptr;
  Strand* strand = nullptr;
  const Sqe* entries = nullptr;
  const std::atomic<uint64_t>* submitted = nullptr;
  const std::atomic<uint64_t>* completed = nullptr;
  uint32_t mask = 0;  // of an index into entries
  int32_t device = 0;
  int32_t stream = 0;
};

void add_note(FiberNote* note);
void remove_note(FiberNote* note);
void add_note(StrandNote* note);
void remove_note(StrandNote* note);

// Every wait of a block, or of a stream, one line each with a newline before it: who waits for
// what; the address, the wanted and the current value of the word, if it is one. "" when nothing
// waits.
std::string describe_waits();

// "the word at 0x7f00 to be at least 5, it is 3"; "" for WordTest::none.
std::string describe(const WordFacts& facts);

}  // namespace canopy
