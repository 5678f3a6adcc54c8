// Faults of cables: link, rate, loss. By iproute2 and nftables, at both ends of the cable.
#include "launcher/cluster/faults.h"
#include "launcher/cluster/tool.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <vector>

namespace canopy::cluster {
namespace {

// One end of a cable: where a queue or a rule can be put on what comes out of it.
struct End {
  std::string interface;
  pid_t network_of;  // 0: the head's, where we are
};

Result<std::vector<End>> ends_of(const Cluster& cluster, int host, int rail) {
  CANOPY_TRY(check_rail(cluster.layout(), rail));
  CANOPY_ASSIGN(const pid_t pid, cluster.first_process(host));
  return std::vector<End>{{port_name(host, rail), 0}, {rail_name(rail), pid}};
}

Result<> tool(const std::vector<std::string>& words, pid_t network_of = 0,
              std::string_view input = "") {
  if (auto said = run_tool(words, input, network_of); !said) {
    return tl::unexpected(said.error());
  }
  return {};
}

std::string fact(int host, int rail, std::string_view what) {
  return fmt::format("{}.{}", port_name(host, rail), what);
}

// Enough for the coarsest kernel timer to keep up, and for at least one packet at low rates.
uint64_t burst_bytes(uint64_t bits_per_s) {
  return std::max<uint64_t>(16 * 1024, bits_per_s / 8 / 500);
}

// A number without sign or exponent, and what follows it.
std::optional<double> leading_number(std::string_view text, std::string_view* rest) {
  double value = 0;
  const char* last = text.data() + text.size();
  const auto [end, err] = std::from_chars(text.data(), last, value, std::chars_format::fixed);
  if (err != std::errc() || !std::isfinite(value) || value < 0) {
    return std::nullopt;
  }
  *rest = text.substr(static_cast<size_t>(end - text.data()));
  return value;
}

// What a rule matches; nft refuses a comparison that always holds.
std::string chosen_packets(const Loss& loss) {
  return loss.per_million == 1'000'000
             ? ""
             : fmt::format("numgen random mod 1000000 < {}", loss.per_million);
}

// Drops at what comes in, which is the only place where Linux lets a rule see all protocols.
std::string loss_rules(const std::string& interface, const std::optional<Loss>& loss) {
  const std::string table = fmt::format("canopy_{}", interface);
  // Adding first makes deleting succeed whether there was one or not; all of it is one transaction.
  std::string rules = fmt::format("add table netdev {0}\ndelete table netdev {0}\n", table);
  if (loss) {
    rules += fmt::format(
        "add table netdev {0}\n"
        "add chain netdev {0} lossy {{ type filter hook ingress device \"{1}\" priority 0; }}\n"
        "add rule netdev {0} lossy {2} drop\n",
        table, interface, chosen_packets(*loss));
  }
  return rules;
}

Result<> note(const Cluster& cluster, const std::string& leaf, const std::string* text) {
  if (text != nullptr) {
    return cluster.files().write(leaf, *text);
  }
  cluster.files().forget(leaf);
  return {};
}

}  // namespace

Result<> set_link(const Cluster& cluster, int host, int rail, bool up) {
  CANOPY_TRY(ends_of(cluster, host, rail));
  CANOPY_TRY(tool({"ip", "link", "set", port_name(host, rail), up ? "up" : "down"}));
  const std::string down = "down";
  return note(cluster, fact(host, rail, "link"), up ? nullptr : &down);
}

Result<Rate> parse_rate(std::string_view text) {
  struct Unit {
    std::string_view name;
    double bits;
  };
  constexpr Unit kUnits[] = {{"bit", 1}, {"kbit", 1e3}, {"mbit", 1e6}, {"gbit", 1e9}};
  constexpr double kLeast = 1e3;
  constexpr double kMost = 1e12;
  std::string_view rest;
  const auto number = leading_number(text, &rest);
  for (const Unit& unit : kUnits) {
    if (number && rest == unit.name) {
      const double bits = *number * unit.bits;
      if (bits < kLeast || bits > kMost) {
        return fail(Errc::out_of_range, "rate {}: must be between 1kbit and 1000gbit", text);
      }
      return Rate{static_cast<uint64_t>(bits), std::string(text)};
    }
  }
  return fail(Errc::parse,
              "'{}' is not a rate: a number and bit, kbit, mbit or gbit (per second), "
              "such as 400mbit; or off",
              text);
}

Result<> set_rate(const Cluster& cluster, int host, int rail, const std::optional<Rate>& rate) {
  CANOPY_ASSIGN(const std::vector<End> ends, ends_of(cluster, host, rail));
  const std::string leaf = fact(host, rail, "rate");
  const bool was_limited = cluster.files().read(leaf).has_value();
  for (const End& end : ends) {
    if (rate) {
      CANOPY_TRY(tool({"tc", "qdisc", "replace", "dev", end.interface, "root", "tbf", "rate",
                       fmt::format("{}bit", rate->bits_per_s), "burst",
                       fmt::format("{}b", burst_bytes(rate->bits_per_s)), "latency", "50ms"},
                      end.network_of));
    } else if (was_limited) {
      CANOPY_TRY(tool({"tc", "qdisc", "del", "dev", end.interface, "root"}, end.network_of));
    }
  }
  return note(cluster, leaf, rate ? &rate->text : nullptr);
}

Result<std::optional<Loss>> parse_loss(std::string_view text) {
  std::string_view rest;
  const auto percent = leading_number(text, &rest);
  if (!percent || (!rest.empty() && rest != "%")) {
    return fail(Errc::parse, "'{}' is not a loss: a percentage such as 1 or 0.5, or off", text);
  }
  if (*percent == 0) {
    return std::nullopt;
  }
  const double per_million = std::round(*percent * 1e4);
  if (per_million < 1 || per_million > 1e6) {
    return fail(Errc::out_of_range, "loss {}: must be 0, or between 0.0001 and 100 percent", text);
  }
  return Loss{static_cast<unsigned>(per_million), std::string(text.substr(0, text.find('%')))};
}

Result<> set_loss(const Cluster& cluster, int host, int rail, const std::optional<Loss>& loss) {
  CANOPY_ASSIGN(const std::vector<End> ends, ends_of(cluster, host, rail));
  for (const End& end : ends) {
    CANOPY_TRY(tool({"nft", "-f", "-"}, end.network_of, loss_rules(end.interface, loss)));
  }
  return note(cluster, fact(host, rail, "loss"), loss ? &loss->text : nullptr);
}

std::string faults_of(const Cluster& cluster, int host, int rail) {
  const ClusterFiles& files = cluster.files();
  std::vector<std::string> faults;
  if (files.read(fact(host, rail, "link"))) {
    faults.emplace_back("link down");
  }
  if (const auto rate = files.read(fact(host, rail, "rate"))) {
    faults.push_back("rate " + *rate);
  }
  if (const auto loss = files.read(fact(host, rail, "loss"))) {
    faults.push_back("loss " + *loss + " %");
  }
  return fmt::format("{}", fmt::join(faults, ", "));
}

}  // namespace canopy::cluster
