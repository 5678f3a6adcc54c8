// One process of a job on fake hosts: joins through the Bootstrap and tells everybody where it is.
// bootstrap_probe HOSTS: exit status 0 when the PEs sit on exactly that many hosts.
#include "launcher/bootstrap/bootstrap.h"
#include "runtime/base/log.h"

#include <cstdlib>
#include <set>
#include <string>

#include <unistd.h>

namespace {

int failed(std::string_view what) {
  canopy::report(fmt::format("{}: {}", what, canopy::error_text::newest()));
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  const size_t wanted = argc == 2 ? std::strtoul(argv[1], nullptr, 10) : 0;
  auto job = canopy::Bootstrap::create();
  if (!job) {
    return failed("create");
  }
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  const auto cards = (*job)->exchange(fmt::format("{} {}", host, (*job)->pe()));
  if (!cards) {
    return failed("exchange");
  }
  std::set<std::string> hosts;
  for (int pe = 0; pe < (*job)->n_pes(); ++pe) {
    const std::string& card = (*cards)[static_cast<size_t>(pe)];
    const size_t blank = card.find(' ');
    hosts.insert(card.substr(0, blank));
    if (card.substr(blank + 1) != std::to_string(pe)) {
      return failed(fmt::format("the card of pe {} is '{}'", pe, card));
    }
  }
  if (hosts.size() != wanted) {
    return failed(fmt::format("{} PEs on {} hosts ({}), not {}", (*job)->n_pes(), hosts.size(),
                              fmt::join(hosts, ", "), wanted));
  }
  if (!(*job)->barrier()) {
    return failed("barrier");
  }
  if ((*job)->pe() == 0) {
    fmt::print("{} PEs on {}\n", (*job)->n_pes(), fmt::join(hosts, ", "));
  }
  return (*job)->finalize() ? 0 : failed("finalize");
}
