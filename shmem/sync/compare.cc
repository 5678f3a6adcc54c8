#include "shmem/sync/compare.h"

#include "shmem/sync/wait_sets.h"
#include "shmem/world/world.h"

namespace canopy::shmem {

const char* symbol_of(Compare compare) {
  constexpr const char* kSymbols[] = {"==", "!=", "<", "<=", ">", ">="};
  return kSymbols[static_cast<size_t>(compare)];
}

World& world_for(const char* routine) {
  const Hot& hot = current_hot();
  if (hot.world == nullptr) {
    bad_target(hot, nullptr, 0, 1, 0, routine);
  }
  return *hot.world;
}

Doorbell& bell_of(World& world) { return world.bell(); }

void bad_compare(int cmp, const char* routine) {
  World& world = world_for(routine);
  world.fail_job(kMisuseStatus,
                 fmt::format("pe {}: {}: {} is not a comparison", world.my_pe(), routine, cmp));
}

void bad_signal_change(int sig_op, const char* routine) {
  World& world = world_for(routine);
  world.fail_job(kMisuseStatus, fmt::format("pe {}: {}: sig_op {} is neither SHMEM_SIGNAL_SET (0) nor SHMEM_SIGNAL_ADD (1)",
                                            world.my_pe(), routine, sig_op));
}

namespace {

std::string writer_of(const World& world, const void* words, size_t bytes) {
  return world.guard() != nullptr ? world.guard()->last_writer(words, bytes) : "";
}

}  // namespace

std::string describe_wait(const World& world, const void* word, const std::string& value,
                          Compare compare, const std::string& now, size_t bytes, const char* routine) {
  return fmt::format("pe {} waits for *{} {} {}, now {} ({}){}", world.my_pe(), fmt::ptr(word),
                     symbol_of(compare), value, now, routine, writer_of(world, word, bytes));
}

void check_awaited(World& world, const void* words, size_t nelems, size_t bytes, const char* routine) {
  if (Guard* guard = world.guard()) {
    guard->wait(words, nelems, bytes, routine);
  }
}

size_t next_start(size_t nelems) {
  static thread_local size_t calls = 0;
  return nelems == 0 ? 0 : calls++ % nelems;
}

std::string describe_set(const World& world, const void* words, size_t nelems, size_t bytes, Compare compare,
                         const std::string& value, const std::string& now, const char* routine) {
  return fmt::format("pe {} waits for one of {} words from {} on to be {} {} ({}), now {}{}", world.my_pe(), nelems,
                     fmt::ptr(words), symbol_of(compare), value, routine, now, writer_of(world, words, nelems * bytes));
}

}  // namespace canopy::shmem
