#include "shmem/world/op_counts.h"

#include <memory>
#include <mutex>
#include <vector>

namespace canopy::shmem {
namespace {

// Leaked on purpose: executors may count while static destructors run. Cells outlive their threads,
// so that what an ended thread issued still counts.
struct Registry {
  std::mutex mutex;  // guards both
  std::vector<std::unique_ptr<OpCells>> cells;
  OpCounts before;  // what was there at the last reset
};

Registry& registry() {
  static Registry* instance = new Registry;
  return *instance;
}

OpCounts sum(const Registry& r) {
  OpCounts total;
  for (const auto& one : r.cells) {
    for (size_t op = 0; op < total.host.size(); ++op) {
      total.host[op] += load_relaxed(&one->cells[0][op]);
      total.device[op] += load_relaxed(&one->cells[1][op]);
    }
  }
  return total;
}

}  // namespace

namespace op_counts_detail {

constinit thread_local OpCells* mine = nullptr;

OpCells* enrol() {
  Registry& r = registry();
  std::lock_guard lock(r.mutex);
  r.cells.push_back(std::make_unique<OpCells>());
  mine = r.cells.back().get();
  return mine;
}

}  // namespace op_counts_detail

OpCounts op_counts() {
  Registry& r = registry();
  std::lock_guard lock(r.mutex);
  OpCounts now = sum(r);
  for (size_t op = 0; op < now.host.size(); ++op) {
    now.host[op] -= r.before.host[op];
    now.device[op] -= r.before.device[op];
  }
  return now;
}

void reset_op_counts() {
  Registry& r = registry();
  std::lock_guard lock(r.mutex);
  r.before = sum(r);
}

}  // namespace canopy::shmem
