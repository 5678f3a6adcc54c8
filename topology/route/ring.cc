#include "topology/route/ring.h"

#include "topology/route/path.h"

#include <algorithm>
#include <array>
#include <numeric>

namespace canopy::topology {
namespace {
constexpr size_t kExactMembers = 8;  // 7! rings: below a millisecond; 9 members take ten times that

// How bad a ring is: its links counted per (path, class), worst first, then the time a byte takes.
struct RingCost {
  std::array<uint32_t, 3 * kLinkClasses> worst_first{};
  uint64_t slowness = 0;
  uint64_t latency_ns = 0;
  auto operator<=>(const RingCost&) const = default;
};

class RingSearch {
 public:
  RingSearch(const Machine& machine, std::span<const int> members)
      : machine_(machine), members_(members), best_(members.size()) {
    std::iota(best_.begin(), best_.end(), 0);
  }

  std::vector<int> run() {
    if (best_.size() > 3) {  // up to three members there is only one ring
      best_.size() <= kExactMembers ? try_all() : improve_greedy();
    }
    return std::move(best_);
  }

  const Link& link(int a, int b) const {
    return machine_.link(members_[static_cast<size_t>(a)], members_[static_cast<size_t>(b)]);
  }

 private:
  RingCost cost(const std::vector<int>& ring) const {
    RingCost sum;
    for (size_t i = 0; i < ring.size(); ++i) {
      LinkCost step(link(ring[i], ring[(i + 1) % ring.size()]));
      size_t badness =
          static_cast<size_t>(step.path) * kLinkClasses + static_cast<size_t>(step.link_class);
      ++sum.worst_first[sum.worst_first.size() - 1 - badness];
      sum.slowness += step.slowness;
      sum.latency_ns += step.latency_ns;
    }
    return sum;
  }

  // Strictly better only, so of equal rings the first in lexical order stays.
  void try_all() {
    std::vector<int> ring = best_;
    RingCost best_cost = cost(ring);
    while (std::next_permutation(ring.begin() + 1, ring.end())) {
      if (RingCost c = cost(ring); c < best_cost) {
        best_cost = c;
        best_ = ring;
      }
    }
  }

  // Always on to the nearest member that is left.
  std::vector<int> greedy() const {
    std::vector<int> ring = {0};
    std::vector<bool> used(members_.size());
    used[0] = true;
    while (ring.size() < members_.size()) {
      int next = -1;
      for (int to = 0; to < static_cast<int>(members_.size()); ++to) {
        if (!used[static_cast<size_t>(to)] &&
            (next < 0 || LinkCost(link(ring.back(), to)) < LinkCost(link(ring.back(), next)))) {
          next = to;
        }
      }
      used[static_cast<size_t>(next)] = true;
      ring.push_back(next);
    }
    return ring;
  }

  // Reverses stretches of the ring as long as that helps; ends, as every step makes it cheaper.
  void improve_greedy() {
    RingCost best_cost = cost(best_);
    if (std::vector<int> ring = greedy(); cost(ring) < best_cost) {
      best_cost = cost(ring);
      best_ = std::move(ring);
    }
    // One round over n members costs n cubed: beyond the most NPUs of a host, greedy has to do.
    size_t count = best_.size();
    for (bool better = count <= kMaxNpus; better;) {
      better = false;
      for (size_t first = 1; first < count; ++first) {
        for (size_t last = first + 2; last <= count; ++last) {
          reverse(first, last);
          if (RingCost c = cost(best_); c < best_cost) {
            best_cost = c;
            better = true;
          } else {
            reverse(first, last);
          }
        }
      }
    }
  }

  void reverse(size_t first, size_t last) {
    std::reverse(best_.begin() + static_cast<ptrdiff_t>(first),
                 best_.begin() + static_cast<ptrdiff_t>(last));
  }

  const Machine& machine_;
  std::span<const int> members_;
  std::vector<int> best_;
};

}  // namespace

Ring ring_order(const Machine& machine, std::span<const int> members) {
  RingSearch search(machine, members);
  Ring ring;
  ring.order = search.run();
  for (size_t i = 0; i < ring.order.size(); ++i) {
    const Link& link = search.link(ring.order[i], ring.order[(i + 1) % ring.order.size()]);
    ring.worst_class = std::max(ring.worst_class, link.link_class);
    ring.worst_path = std::max(ring.worst_path, link.path);
  }
  return ring;
}

}  // namespace canopy::topology
