#include "shmem/debug/write_log.h"

#include <atomic>
#include <cstring>

namespace canopy::shmem {

namespace {

// Readers may look at any moment: word by word, so that what they see is at least what somebody wrote.
constexpr size_t kWords = sizeof(Write) / sizeof(uint64_t);
static_assert(sizeof(Write) == kWords * sizeof(uint64_t));

// Release: who sees one of these sees the 0 that was stored before; pairs with read().
void write(Write* to, const Write& from) {
  uint64_t words[kWords];
  std::memcpy(words, &from, sizeof words);
  for (size_t i = 0; i < kWords; ++i) {
    store_release(reinterpret_cast<uint64_t*>(to) + i, words[i]);
  }
}

// Acquire: the number that is read afterwards is no older than any of these.
Write read(const Write* from) {
  uint64_t words[kWords];
  for (size_t i = 0; i < kWords; ++i) {
    words[i] = load_acquire(reinterpret_cast<const uint64_t*>(from) + i);
  }
  Write result;
  std::memcpy(&result, words, sizeof words);
  return result;
}

}  // namespace

void WriteLog::add(const Write& newest) {
  // Relaxed: only numbers the records.
  const uint64_t number = std::atomic_ref<uint64_t>(begun).fetch_add(1, std::memory_order_relaxed) + 1;
  Record& record = records[(number - 1) % kRecords];
  store_relaxed(&record.number, uint64_t{0});
  write(&record.write, newest);
  // Release: the record; pairs with the acquire in look_at().
  store_release(&record.number, number);
}

void NewestWrites::look_at(const WriteLog& log, int writer) {
  for (const WriteLog::Record& record : log.records) {
    const uint64_t number = load_acquire(&record.number);
    const Write write = read(&record.write);
    if (number == 0 || load_relaxed(&record.number) != number || !write.touches(offset, bytes)) {
      continue;
    }
    std::optional<Found>& best = write.pe == target ? there : elsewhere;
    if (!best || best->write.unix_ns <= write.unix_ns) {
      best = {writer, write};
    }
  }
}

}  // namespace canopy::shmem
