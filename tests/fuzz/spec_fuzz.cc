// Spec files: refused with a sentence, or a machine whose every question has an answer and whose own text gives the
// same machine.
#include "runtime/base/check.h"
#include "runtime/base/log.h"
#include "topology/model/spec_file.h"
#include "topology/route/path.h"
#include "topology/route/ring.h"
#include "topology/route/tree.h"

#include <numeric>
#include <vector>

namespace canopy::fuzz {
namespace {

using topology::Machine;

void ask_everything(const Machine& machine) {
  CHECK(machine.count() >= 1 && machine.count() <= topology::kMaxNpus, "a machine has NPUs");
  for (int from = 0; from < machine.count(); ++from) {
    CHECK(machine.npu(from).id == from, "in the order of their ids");
    for (int to = 0; to < machine.count(); ++to) {
      CHECK(machine.link(from, to).link_class == machine.link(to, from).link_class, "links go both ways");
      CHECK(topology::choose_path(machine, from, to), "every pair has a path, or a reason for none");
    }
  }
  std::vector<int> all(static_cast<size_t>(std::min(machine.count(), 16)));
  std::iota(all.begin(), all.end(), 0);
  CHECK(topology::ring_order(machine, all).order.size() == all.size(), "a ring goes through all");
}

}  // namespace
}  // namespace canopy::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  using namespace canopy;
  set_log_level(LogLevel::off);
  const auto machine = topology::parse_spec({reinterpret_cast<const char*>(data), bytes}, "fuzz");
  if (!machine) {
    CHECK(!error_text::newest().empty(), "a refusal says why");
    return 0;
  }
  fuzz::ask_everything(*machine);
  const std::string text = topology::write_spec(*machine);
  const auto again = topology::parse_spec(text, "fuzz");
  CHECK(again, "what is written can be read");
  CHECK(topology::write_spec(*again) == text, "and is the same");
  return 0;
}
