#include "shmem/debug/guard.h"

#include "shmem/context/open_context.h"
#include "shmem/rma/rma.h"
#include "shmem/world/far_paths.h"
#include "shmem/world/world.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>

namespace canopy::shmem {
namespace {

uint64_t unix_ns() {
  return static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch() / std::chrono::nanoseconds(1));
}

bool overlap(uintptr_t a, size_t a_bytes, uintptr_t b, size_t b_bytes) {
  // Unsigned: a difference below zero is larger than any size.
  return a_bytes != 0 && b_bytes != 0 && (a - b < b_bytes || b - a < a_bytes);
}

// From the first byte of the first block to the last of the last; what is no number is more than any heap has.
size_t extent(const StridedBlocks& blocks, size_t step) {
  size_t bytes = 0;
  return __builtin_mul_overflow(blocks.n_blocks - 1, step, &bytes) ||
                 __builtin_add_overflow(bytes, blocks.block_bytes, &bytes)
             ? SIZE_MAX
             : bytes;
}

// Whether a block of one side touches a block of the other. Both sides go upwards.
bool blocks_overlap(uintptr_t to, uintptr_t from, const StridedBlocks& blocks) {
  for (size_t i = 0, j = 0; i < blocks.n_blocks && j < blocks.n_blocks;) {
    const uintptr_t a = to + i * blocks.to_step;
    const uintptr_t b = from + j * blocks.from_step;
    if (overlap(a, blocks.block_bytes, b, blocks.block_bytes)) {
      return true;
    }
    ++(a < b ? i : j);
  }
  return false;
}

uintptr_t number(const void* address) { return reinterpret_cast<uintptr_t>(address); }

}  // namespace

void Guard::fail(const char* routine, const std::string& what) {
  world_.fail_job(kMisuseStatus, fmt::format("pe {}: {}: {}", world_.my_pe(), routine, what));
}

int Guard::job_pe(const Call& call) const {
  return call.hot.context != nullptr ? call.hot.context->job_pe(call.pe) : call.pe;
}

bool Guard::is_own(const Call& call) const { return job_pe(call) == world_.my_pe(); }

// Others are refused by the operation itself, in every build.
bool Guard::is_target(const Call& call, const void* address, size_t bytes) const {
  const uintptr_t offset = number(in_user_area(call.hot, address)) - call.hot.base;
  return static_cast<uint32_t>(call.pe) < call.hot.n_pes && offset < call.hot.bytes && bytes <= call.hot.bytes - offset;
}

// What is known about an address in no live block.
std::string Guard::about(uintptr_t at, size_t bytes) const {
  if (const auto freed = blocks_.freed_at(at)) {
    return fmt::format("which was freed in {}: it was in {}", freed->freed.text(), freed->text());
  }
  const auto before = blocks_.before(at);
  if (!before) {
    return fmt::format("where no block of the symmetric heap is live within {} bytes", bytes);
  }
  return fmt::format("in no live block of the symmetric heap, {} bytes past the end of {}", at - before->begin - before->bytes,
                     before->text());
}

void Guard::require_live(const char* routine, Side side, const void* address, size_t bytes) {
  constexpr const char* kNames[] = {"dest", "source", "the word", "fetch"};
  const char* name = kNames[static_cast<size_t>(side)];
  const void* own = in_user_area(world_.hot(), address);
  const uintptr_t at = number(own);
  if (world_.in_library_area(own)) {
    fail(routine, fmt::format("{} is {}, which is memory of the library's own, at the start of the symmetric heap", name,
                              fmt::ptr(address)));
  }
  if (world_.heap_of(own) == nullptr) {
    require_within_global(routine, name, address, at, bytes);
    return;
  }
  const auto block = blocks_.before(at);
  if (!block || !block->contains(at)) {
    fail(routine, fmt::format("{} is {}, {}", name, fmt::ptr(address), about(at, bytes)));
  }
  const size_t left = block->bytes - (at - block->begin);
  if (bytes > left) {
    fail(routine, fmt::format("{} is {} bytes at {}, which reach {} bytes past the end of {}", name, bytes, fmt::ptr(address),
                              bytes - left, block->text()));
  }
}

// `own` is where `address` lies in the user area. Where no symbol is, there may be an object without a name.
void Guard::require_within_global(const char* routine, const char* name, const void* address, uintptr_t own, size_t bytes) {
  const Hot& hot = world_.hot();
  const uintptr_t offset = own - hot.globals_at;
  if (offset >= hot.globals_bytes) {
    return;
  }
  std::call_once(symbols_read_, [&] { symbols_ = GlobalSymbols::of_program(hot.globals, hot.globals_bytes); });
  const uintptr_t at = hot.globals + offset;
  const GlobalSymbols::Symbol* symbol = symbols_.holding(at);
  if (symbol != nullptr && bytes > symbol->end() - at) {
    fail(routine, fmt::format("{} is {} bytes at {}, which reach {} bytes past the end of {}", name, bytes, fmt::ptr(address),
                              bytes - (symbol->end() - at), symbol->text()));
  }
}

// The side that need not be symmetric, but must be live where it is.
void Guard::require_live_if_symmetric(const char* routine, Side side, const void* address, size_t bytes) {
  const Hot& hot = world_.hot();
  if (number(in_user_area(hot, address)) - hot.base < hot.bytes) {
    require_live(routine, side, address, bytes);
  }
}

void Guard::refuse_overlap(const char* routine, const void* dest, const void* source) {
  fail(routine, fmt::format("dest {} and source {} overlap, and must not (OpenSHMEM, on arguments that are pointers)",
                            fmt::ptr(dest), fmt::ptr(source)));
}

// Only within one PE's memory can two addresses be the same bytes.
void Guard::require_apart(const Call& call, const void* dest, size_t dest_bytes, const void* source, size_t source_bytes) {
  if (is_own(call) && overlap(number(in_user_area(call.hot, dest)), dest_bytes, number(in_user_area(call.hot, source)), source_bytes)) {
    refuse_overlap(call.routine, dest, source);
  }
}

void Guard::note(const Call& call, const void* dest, size_t bytes, Write::Value kind, uint64_t value) {
  Write write;
  write.offset = number(in_user_area(call.hot, dest)) - call.hot.base;
  write.bytes = bytes;
  write.pe = job_pe(call);
  write.kind = kind;
  write.value = value;
  write.unix_ns = unix_ns();
  std::strncpy(write.routine, call.routine, sizeof write.routine - 1);
  log_.add(write);
}

void Guard::put(const Call& call, const void* dest, const void* source, size_t nelems, size_t element_bytes) {
  size_t bytes = 0;
  if (nelems == 0 || __builtin_mul_overflow(nelems, element_bytes, &bytes) || !is_target(call, dest, bytes)) {
    return;
  }
  require_live(call.routine, Side::dest, dest, bytes);
  require_live_if_symmetric(call.routine, Side::source, source, bytes);
  require_apart(call, dest, bytes, source, bytes);
  uint64_t value = 0;
  const bool short_enough = bytes <= sizeof value;
  std::memcpy(&value, source, short_enough ? bytes : 0);
  note(call, dest, bytes, short_enough ? Write::Value::bytes : Write::Value::none, value);
}

void Guard::get(const Call& call, const void* dest, const void* source, size_t nelems, size_t element_bytes) {
  size_t bytes = 0;
  if (nelems == 0 || __builtin_mul_overflow(nelems, element_bytes, &bytes) || !is_target(call, source, bytes)) {
    return;
  }
  require_live(call.routine, Side::source, source, bytes);
  require_live_if_symmetric(call.routine, Side::dest, dest, bytes);
  require_apart(call, dest, bytes, source, bytes);
}

void Guard::put_signal(const Call& call, const void* dest, size_t nelems, size_t element_bytes, const void* word,
                       uint8_t width) {
  size_t bytes = 0;
  if (__builtin_mul_overflow(nelems, element_bytes, &bytes) || !is_target(call, dest, bytes)) {
    return;
  }
  if (overlap(number(in_user_area(call.hot, dest)), bytes, number(in_user_area(call.hot, word)), width)) {
    fail(call.routine, fmt::format("dest {} ({} bytes) and sig_addr {} overlap, and must not", fmt::ptr(dest), bytes,
                                   fmt::ptr(word)));
  }
}

void Guard::signal(const Call& call, const void* word, uint64_t value, uint8_t width) {
  if (is_target(call, word, width)) {
    require_live(call.routine, Side::word, word, width);
    note(call, word, width, Write::Value::operand, value);
  }
}

void Guard::amo(const Call& call, const void* word, const transport::Amo& amo, const void* fetch) {
  if (!is_target(call, word, amo.width)) {
    return;
  }
  require_live(call.routine, Side::word, word, amo.width);
  if (fetch != nullptr) {
    require_live_if_symmetric(call.routine, Side::fetch, fetch, amo.width);
    require_apart(call, fetch, amo.width, word, amo.width);
  }
  if (amo.op != transport::AmoOp::fetch) {
    note(call, word, amo.width, Write::Value::operand, amo.value);
  }
}

void Guard::strided(const Call& call, const void* dest, const void* source, const StridedBlocks& blocks, bool is_put) {
  if (blocks.n_blocks == 0 || blocks.block_bytes == 0) {
    return;
  }
  const size_t to = extent(blocks, blocks.to_step);
  const size_t from = extent(blocks, blocks.from_step);
  if (!is_target(call, is_put ? dest : source, is_put ? to : from)) {
    return;
  }
  require_live_if_symmetric(call.routine, Side::dest, dest, to);
  require_live_if_symmetric(call.routine, Side::source, source, from);
  if (is_own(call) && blocks_overlap(number(in_user_area(call.hot, dest)), number(in_user_area(call.hot, source)), blocks)) {
    refuse_overlap(call.routine, dest, source);
  }
  if (is_put) {
    note(call, dest, to, Write::Value::none, 0);
  }
}

void Guard::wait(const void* words, size_t nelems, size_t bytes, const char* routine) {
  const Hot& hot = world_.hot();
  const size_t all = nelems > SIZE_MAX / bytes ? SIZE_MAX : nelems * bytes;
  if (!is_target({hot, world_.my_pe(), routine}, words, all)) {
    bad_target(hot, words, nelems, bytes, world_.my_pe(), routine);
  }
  require_live(routine, Side::word, words, all);
}

namespace {

std::string text_of(const NewestWrites::Found& found, uint64_t now) {
  const auto& [writer, write] = found;
  const char* kind = write.kind == Write::Value::operand ? ", operand " : ", value ";
  const std::string value = write.kind == Write::Value::none ? "" : fmt::format("{}{}", kind, write.value);
  return fmt::format("PE {} with {} ({} bytes{}) {} ms ago", writer, write.routine, write.bytes, value,
                     now > write.unix_ns ? (now - write.unix_ns) / 1'000'000 : 0);
}

}  // namespace

std::string Guard::last_writer(const void* word, size_t bytes) {
  const Hot& hot = world_.hot();
  NewestWrites newest(number(in_user_area(hot, word)) - hot.base, bytes, world_.my_pe());
  const auto room = std::make_unique<WriteLog>();
  for (int pe = 0; pe < world_.n_pes(); ++pe) {
    // The log of a PE, by our own address of the same offset.
    const auto* theirs = reinterpret_cast<const WriteLog*>(hot.base + log_offset_);
    if (const Remote near = translate<1>(hot, theirs, sizeof(WriteLog), pe); near.direct) {
      newest.look_at(*reinterpret_cast<const WriteLog*>(near.at), pe);
    } else {
      shmem::get<FromLibrary, 1>(hot, room.get(), theirs, sizeof(WriteLog), pe, "the search for who wrote last");
      newest.look_at(*room, pe);
    }
  }
  const uint64_t now = unix_ns();
  if (newest.there) {
    return fmt::format("; last written by {}", text_of(*newest.there, now));
  }
  std::string text = fmt::format("; no PE has written it in its newest {} operations", WriteLog::kRecords);
  if (newest.elsewhere) {
    text += fmt::format(", but the same address on PE {} was written by {}", newest.elsewhere->write.pe,
                        text_of(*newest.elsewhere, now));
  }
  return text;
}

namespace guarded {
namespace {

Guard& guard_of(const Hot& hot) { return *hot.world->guard(); }

}  // namespace

const Hot& put(const Hot& hot, const void* dest, const void* source, size_t nelems, size_t element_bytes, int pe,
               const char* routine) {
  guard_of(hot).put({*hot.behind, pe, routine}, dest, source, nelems, element_bytes);
  return *hot.behind;
}

const Hot& get(const Hot& hot, const void* dest, const void* source, size_t nelems, size_t element_bytes, int pe,
               const char* routine) {
  guard_of(hot).get({*hot.behind, pe, routine}, dest, source, nelems, element_bytes);
  return *hot.behind;
}

const Hot& put_signal(const Hot& hot, const void* dest, const void* source, size_t nelems, size_t element_bytes,
                      const void* word, uint64_t value, uint8_t width, int pe, const char* routine) {
  Guard& guard = guard_of(hot);
  const Guard::Call call{*hot.behind, pe, routine};
  guard.put_signal(call, dest, nelems, element_bytes, word, width);
  guard.put(call, dest, source, nelems, element_bytes);
  guard.signal(call, word, value, width);
  return *hot.behind;
}

const Hot& signal(const Hot& hot, const void* word, uint64_t value, uint8_t width, int pe, const char* routine) {
  guard_of(hot).signal({*hot.behind, pe, routine}, word, value, width);
  return *hot.behind;
}

const Hot& amo(const Hot& hot, const void* word, const transport::Amo& amo, const void* fetch, int pe, const char* routine) {
  guard_of(hot).amo({*hot.behind, pe, routine}, word, amo, fetch);
  return *hot.behind;
}

const Hot& strided(const Hot& hot, const void* dest, const void* source, const StridedBlocks& blocks, bool is_put, int pe,
                   const char* routine) {
  guard_of(hot).strided({*hot.behind, pe, routine}, dest, source, blocks, is_put);
  return *hot.behind;
}

}  // namespace guarded

}  // namespace canopy::shmem
