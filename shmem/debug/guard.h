// Guard: what the debug mode knows and checks (SHMEM_DEBUG, or a build with CANOPY_DEBUG_CHECKS). One per
// World, null outside that mode.
//
//   operations    on a heap address: within one live block; on a global: within it, as far as the executable's symbols
//                 tell; dest and source apart; noted in the write log
//   collectives   every member tells the others which it is in, with which arguments, before it begins
//   waits         the word is symmetric, and live; who wrote it last
//
// A mistake ends the job with one sentence: PE, routine, value, and the caller. Operations come here by
// debug/front.h. Any thread; collective() one thread per team, as collectives themselves.
#pragma once

#include "shmem/debug/block_book.h"
#include "shmem/debug/global_symbols.h"
#include "shmem/debug/write_log.h"
#include "shmem/rma/far_ops.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

namespace canopy::shmem {

class Team;

// A collective as one member calls it.
struct CollectiveCall {
  const char* routine;
  size_t element_bytes = 0;  // 0: has no elements
  size_t nelems = 0;
  bool own_sizes = false;  // nelems is each member's own affair
  int root = -1;
  ptrdiff_t dst = 0;  // strides; 0: none
  ptrdiff_t sst = 0;
  const void* dest = nullptr;
  size_t dest_bytes = 0;
  const void* source = nullptr;
  size_t source_bytes = 0;
  bool in_place = false;  // source may be dest
};

class Guard {
 public:
  Guard(World& world, BlockBook& blocks, WriteLog& log, uint64_t log_offset)
      : world_(world), blocks_(blocks), log_(log), log_offset_(log_offset) {}

  // An operation on the context behind which `hot` stands. `pe` is the context's.
  struct Call {
    const Hot& hot;
    int pe;
    const char* routine;
  };
  void put(const Call& call, const void* dest, const void* source, size_t nelems, size_t element_bytes);
  void get(const Call& call, const void* dest, const void* source, size_t nelems, size_t element_bytes);
  void put_signal(const Call& call, const void* dest, size_t nelems, size_t element_bytes, const void* word, uint8_t width);
  void signal(const Call& call, const void* word, uint64_t value, uint8_t width);
  void amo(const Call& call, const void* word, const transport::Amo& amo, const void* fetch);
  void strided(const Call& call, const void* dest, const void* source, const StridedBlocks& blocks, bool is_put);

  // Ends the job when a member is in another collective, or in the same with other arguments; and, unless threads may call
  // collectives side by side, when a member waits for this one in a collective of another team.
  void collective(Team& team, const CollectiveCall& call);
  // The program has asked for SHMEM_THREAD_MULTIPLE.
  static void expect_threads() { threads_.store(true, std::memory_order_relaxed); }  // before there are any

  // `nelems` words of `bytes` each that this PE waits for.
  void wait(const void* words, size_t nelems, size_t bytes, const char* routine);
  // "; last written by PE 1: ..." as far as it is known.
  std::string last_writer(const void* word, size_t bytes);

 private:
  enum class Side : uint8_t { dest, source, word, fetch };

  bool is_target(const Call& call, const void* address, size_t bytes) const;
  void require_live(const char* routine, Side side, const void* address, size_t bytes);
  void require_within_global(const char* routine, const char* name, const void* address, uintptr_t own, size_t bytes);
  void require_live_if_symmetric(const char* routine, Side side, const void* address, size_t bytes);
  void require_apart(const Call& call, const void* dest, size_t dest_bytes, const void* source, size_t source_bytes);
  void refuse_overlap(const char* routine, const void* dest, const void* source);
  void note(const Call& call, const void* dest, size_t bytes, Write::Value kind, uint64_t value);
  bool is_own(const Call& call) const;
  int job_pe(const Call& call) const;
  std::string about(uintptr_t at, size_t bytes) const;
  void check_buffers(const CollectiveCall& call);
  void meet(Team& team, const char* routine);
  struct Crossing {
    Team* team = nullptr;  // null: none
    int pe = 0;
  };
  Crossing crossing(const Team& team) const;
  [[noreturn]] void fail(const char* routine, const std::string& what);

  static inline std::atomic<bool> threads_{false};
  std::atomic<std::thread::id> caller_{};  // of the first collective
  World& world_;
  BlockBook& blocks_;
  WriteLog& log_;
  const uint64_t log_offset_;
  std::once_flag symbols_read_;  // with the first operation on a global
  GlobalSymbols symbols_;
};

// What the cold side of an operation does first. Each returns the Hot to do it by.
namespace guarded {
[[gnu::noinline]] const Hot& put(const Hot& hot, const void* dest, const void* source, size_t nelems, size_t element_bytes,
                                 int pe, const char* routine);
[[gnu::noinline]] const Hot& get(const Hot& hot, const void* dest, const void* source, size_t nelems, size_t element_bytes,
                                 int pe, const char* routine);
[[gnu::noinline]] const Hot& put_signal(const Hot& hot, const void* dest, const void* source, size_t nelems,
                                        size_t element_bytes, const void* word, uint64_t value, uint8_t width, int pe,
                                        const char* routine);
[[gnu::noinline]] const Hot& signal(const Hot& hot, const void* word, uint64_t value, uint8_t width, int pe,
                                    const char* routine);
[[gnu::noinline]] const Hot& amo(const Hot& hot, const void* word, const transport::Amo& amo, const void* fetch, int pe,
                                 const char* routine);
[[gnu::noinline]] const Hot& strided(const Hot& hot, const void* dest, const void* source, const StridedBlocks& blocks,
                                     bool is_put, int pe, const char* routine);
}  // namespace guarded

}  // namespace canopy::shmem
