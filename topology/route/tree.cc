#include "topology/route/tree.h"

#include "topology/route/path.h"

#include <algorithm>
#include <tuple>

namespace canopy::topology {

// Prim's minimum spanning tree. Among equally good links it takes the sender that is free first:
// one that sends in step t is free in t + 1, as is the one that receives. In a full mesh this gives
// the binomial tree.
Tree tree_order(const Machine& machine, std::span<const int> members, int root) {
  size_t count = members.size();
  Tree tree;
  tree.parent.assign(count, -1);
  tree.children.resize(count);
  tree.order = {root};
  std::vector<bool> inside(count);
  std::vector<int> free_at(count, 0);
  inside[static_cast<size_t>(root)] = true;
  auto link = [&](int from, int to) -> const Link& {
    return machine.link(members[static_cast<size_t>(from)], members[static_cast<size_t>(to)]);
  };
  auto key = [&](int from, int to) {
    return std::tuple(LinkCost(link(from, to)), free_at[static_cast<size_t>(from)], from, to);
  };
  while (tree.order.size() < count) {
    int best_from = -1;
    int best_to = -1;
    for (int from : tree.order) {
      for (int to = 0; to < static_cast<int>(count); ++to) {
        if (!inside[static_cast<size_t>(to)] &&
            (best_to < 0 || key(from, to) < key(best_from, best_to))) {
          best_from = from;
          best_to = to;
        }
      }
    }
    inside[static_cast<size_t>(best_to)] = true;
    tree.order.push_back(best_to);
    tree.parent[static_cast<size_t>(best_to)] = best_from;
    tree.children[static_cast<size_t>(best_from)].push_back(best_to);
    int sent = ++free_at[static_cast<size_t>(best_from)];
    free_at[static_cast<size_t>(best_to)] = sent;
    tree.worst_class = std::max(tree.worst_class, link(best_from, best_to).link_class);
    tree.worst_path = std::max(tree.worst_path, link(best_from, best_to).path);
  }
  for (size_t from = 0; from < count; ++from) {
    std::stable_sort(tree.children[from].begin(), tree.children[from].end(), [&](int a, int b) {
      int sender = static_cast<int>(from);
      return LinkCost(link(sender, b)) < LinkCost(link(sender, a));
    });
  }
  return tree;
}

}  // namespace canopy::topology
