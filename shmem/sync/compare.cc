#include "shmem/sync/compare.h"

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

std::string describe_wait(const World& world, const void* word, const std::string& value,
                          Compare compare, const std::string& now, const char* routine) {
  return fmt::format("pe {} waits for *{} {} {}, now {} ({})", world.my_pe(), fmt::ptr(word),
                     symbol_of(compare), value, now, routine);
}

}  // namespace canopy::shmem
