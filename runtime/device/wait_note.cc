#include "runtime/device/wait_note.h"

#include "runtime/device/notify_cell.h"
#include "runtime/device/peek.h"
#include "runtime/device/scheduler.h"
#include "runtime/device/strand.h"
#include "runtime/device/task_text.h"

#include <mutex>
#include <optional>

#include <fmt/format.h>

namespace canopy {

// ---- What the debugger finds, by the name canopy_debug.

// Also the numbers of WordTest, NotifyTest and ValueTest, and the bodies of waits in Sqe.
struct DebugRoot {
  static constexpr uint32_t kVersion = 1;
  uint32_t version = kVersion;
  uint32_t notify_word = NotifyCell::word_offset();  // in a NotifyCell
  FiberNote* fibers = nullptr;
  StrandNote* strands = nullptr;
  SqeKind event_wait = SqeKind::event_wait;
  SqeKind timed_event_wait = SqeKind::timed_event_wait;
  SqeKind notify_wait = SqeKind::notify_wait;
  SqeKind value_wait = SqeKind::value_wait;
  SqeKind gate = SqeKind::gate;
};
static_assert(offsetof(DebugRoot, fibers) == 8 && offsetof(DebugRoot, strands) == 16);
static_assert(offsetof(FiberNote, context) == 16 && offsetof(FiberNote, what) == 32 &&
              offsetof(FiberNote, block) == 48 && offsetof(FiberNote, address) == 56 &&
              offsetof(FiberNote, word) == 72);
static_assert(offsetof(StrandNote, entries) == 24 && offsetof(StrandNote, submitted) == 32 &&
              offsetof(StrandNote, completed) == 40 && offsetof(StrandNote, mask) == 48 &&
              offsetof(StrandNote, stream) == 56);
static_assert(offsetof(Sqe::Body::NotifyWait, what) == 8 &&
              offsetof(Sqe::Body::NotifyWait, id) == 24 &&
              offsetof(Sqe::Body::NotifyWait, test) == 32 &&
              offsetof(Sqe::Body::TimedEvent, cell) == 16 && offsetof(Sqe::Body::Event, id) == 8 &&
              offsetof(Sqe::Body::Value, test) == 16);
static_assert(offsetof(EventCell, state) == 0);

extern "C" {
[[gnu::visibility("default"), gnu::used]] DebugRoot canopy_debug;
}

namespace {

// Leaked: executors end while static destructors run.
std::mutex& list_mutex() {
  static auto* mutex = new std::mutex;
  return *mutex;
}

template <class Note>
void add(Note** first, Note* note) {
  std::lock_guard lock(list_mutex());
  note->previous = nullptr;
  note->next = *first;
  if (note->next != nullptr) {
    note->next->previous = note;
  }
  *first = note;
}

template <class Note>
void remove(Note** first, Note* note) {
  std::lock_guard lock(list_mutex());
  (note->previous != nullptr ? note->previous->next : *first) = note->next;
  if (note->next != nullptr) {
    note->next->previous = note->previous;
  }
}

const char* describe(WordTest test) {
  switch (test) {
    case WordTest::none:
      return "";
    case WordTest::equal:
      return "equal to";
    case WordTest::not_equal:
      return "other than";
    case WordTest::above:
      return "above";
    case WordTest::at_least:
      return "at least";
    case WordTest::below:
      return "below";
    case WordTest::at_most:
      return "at most";
    case WordTest::some_bits:
      return "with a bit of";
    case WordTest::all_bits:
      return "with all bits of";
    case WordTest::some_zero:
      return "without a bit outside of";
  }
  return "";
}

std::string number(uint64_t word, const WordFacts& facts) {
  if (facts.test >= WordTest::some_bits) {
    return fmt::format("{:#x}", word);
  }
  if (!facts.is_signed) {
    return fmt::format("{}", word);
  }
  const int unused = 64 - 8 * facts.bytes;
  return fmt::format("{}", static_cast<int64_t>(word << unused) >> unused);
}

WordFacts facts_of(const FiberNote& note) {
  const uint32_t word = note.word.load(std::memory_order_relaxed);
  return {note.address.load(std::memory_order_relaxed), note.wanted.load(std::memory_order_relaxed),
          static_cast<uint8_t>(word), static_cast<WordTest>(word >> 8 & 0xFF), (word >> 16) != 0};
}

std::string describe(const FiberNote& note) {
  // Acquire: whoever sees the wait sees whose it is; pairs with Fiber::begin_wait().
  const char* what = note.what.load(std::memory_order_acquire);
  const char* kernel = note.kernel.load(std::memory_order_relaxed);
  if (what == nullptr || kernel == nullptr) {
    return {};  // streams that wait are told by their strands
  }
  std::string text = fmt::format("\n  kernel {} block {} of {}: waits for {}", kernel,
                                 note.block.load(std::memory_order_relaxed),
                                 note.blocks.load(std::memory_order_relaxed), what);
  if (const std::string word = describe(facts_of(note)); !word.empty()) {
    text += ": " + word;
  }
  // Over meanwhile: then the words may be another wait's.
  return note.what.load(std::memory_order_acquire) == what ? text : std::string();
}

std::string describe(const StrandNote& note) {
  Strand& strand = *note.strand;
  std::optional<Sqe> oldest;
  uint64_t ticket = 0;
  {
    std::lock_guard lock(strand.producer_lock());  // nobody writes over the entry
    ticket = strand.completed();
    if (const Sqe* entry = strand.oldest(); entry != nullptr && is_wait(entry->kind)) {
      oldest = *entry;
    }
  }
  if (!oldest) {
    return {};
  }
  std::string text = fmt::format("\n  device {} stream {}: waits for {}{}", note.device,
                                 note.stream, describe_wait(*oldest), describe_state(*oldest));
  return strand.completed() == ticket ? text : std::string();
}

}  // namespace

void add_note(FiberNote* note) { add(&canopy_debug.fibers, note); }
void remove_note(FiberNote* note) { remove(&canopy_debug.fibers, note); }
void add_note(StrandNote* note) { add(&canopy_debug.strands, note); }
void remove_note(StrandNote* note) { remove(&canopy_debug.strands, note); }

std::string describe(const WordFacts& facts) {
  if (facts.test == WordTest::none) {
    return {};
  }
  const std::optional<uint64_t> word = peek(facts.address, facts.bytes);
  return fmt::format("the word at {} to be {} {}, {}",
                     fmt::ptr(const_cast<const void*>(facts.address)), describe(facts.test),
                     number(facts.wanted, facts),
                     word ? "it is " + number(*word, facts) : "which cannot be read");
}

std::string describe_waits() {
  std::lock_guard lock(list_mutex());
  std::string text;
  for (const FiberNote* note = canopy_debug.fibers; note != nullptr; note = note->next) {
    text += describe(*note);
  }
  for (const StrandNote* note = canopy_debug.strands; note != nullptr; note = note->next) {
    text += describe(*note);
  }
  return text;
}

}  // namespace canopy
