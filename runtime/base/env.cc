#include "runtime/base/env.h"

#include "runtime/base/log.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <mutex>
#include <set>

namespace canopy::env {
namespace {

// Many callers read the same variable; the user needs the sentence once. Leaked on purpose: read in
// exit handlers, too.
void report_once(const std::string& sentence) {
  static auto* mutex = new std::mutex;
  static auto* said = new std::set<std::string>;
  std::lock_guard lock(*mutex);
  if (said->insert(sentence).second) {
    report(sentence);
  }
}

}  // namespace

std::optional<std::string> text(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') {
    return std::nullopt;
  }
  return std::string(value);
}

std::optional<int64_t> integer(const char* name) {
  auto value = text(name);
  if (!value) {
    return std::nullopt;
  }
  int64_t number = 0;
  auto [end, err] = std::from_chars(value->data(), value->data() + value->size(), number);
  if (err != std::errc() || end != value->data() + value->size()) {
    report_once(fmt::format("{}={} is not an integer and is ignored", name, *value));
    return std::nullopt;
  }
  return number;
}

namespace {

// The factor of "", "K", "KB", "KiB", "M" ...; nothing for anything else.
std::optional<int> suffix_shift(std::string_view suffix) {
  if (suffix.empty()) {
    return 0;
  }
  constexpr std::string_view kUnits = "KMGT";
  const size_t unit = kUnits.find(static_cast<char>(std::toupper(suffix.front())));
  if (unit == std::string_view::npos ||
      (suffix.size() != 1 && suffix.substr(1) != "B" && suffix.substr(1) != "iB")) {
    return std::nullopt;
  }
  return 10 * (static_cast<int>(unit) + 1);
}

}  // namespace

std::optional<uint64_t> parse_bytes(std::string_view value) {
  const char* last = value.data() + value.size();
  // Whole numbers stay whole: a double would round those above 2^53.
  uint64_t whole = 0;
  const auto [whole_end, whole_err] = std::from_chars(value.data(), last, whole);
  if (whole_err == std::errc()) {
    if (const auto shift = suffix_shift({whole_end, static_cast<size_t>(last - whole_end)})) {
      return whole > (~uint64_t{0} >> 1) >> *shift ? std::nullopt : std::optional(whole << *shift);
    }
  }
  double number = 0;
  const auto [end, err] = std::from_chars(value.data(), last, number);
  if (err != std::errc() || number < 0 || !std::isfinite(number)) {
    return std::nullopt;
  }
  const auto shift = suffix_shift({end, static_cast<size_t>(last - end)});
  const double total = shift ? std::ldexp(number, *shift) : 0;
  if (!shift || total >= 0x1p63) {
    return std::nullopt;
  }
  return static_cast<uint64_t>(total);
}

std::optional<uint64_t> bytes(const char* name) {
  auto value = text(name);
  if (!value) {
    return std::nullopt;
  }
  auto number = parse_bytes(*value);
  if (!number) {
    report_once(
        fmt::format("{}={} is not a size (for example 512M or 2G) and is ignored", name, *value));
  }
  return number;
}

bool flag(const char* name, bool fallback) {
  auto value = text(name);
  if (!value) {
    return fallback;
  }
  if (*value == "1" || *value == "true" || *value == "yes" || *value == "on") {
    return true;
  }
  if (*value == "0" || *value == "false" || *value == "no" || *value == "off") {
    return false;
  }
  report_once(fmt::format("{}={} is neither on nor off and is ignored", name, *value));
  return fallback;
}

int local_ranks() {
  for (const char* name : {"OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS", "SLURM_NTASKS_PER_NODE",
                           "CANOPY_LOCAL_SIZE"}) {
    if (std::getenv(name) != nullptr) {
      if (auto n = integer(name); n && *n > 0) {
        return static_cast<int>(*n);
      }
    }
  }
  return 1;
}

int64_t ranks_on_machine() {
  return local_ranks() * std::max<int64_t>(1, integer("CANOPY_CLUSTER_HOSTS").value_or(1));
}

int local_rank() {
  for (const char* name :
       {"OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID", "CANOPY_LOCAL_RANK"}) {
    if (std::getenv(name) != nullptr) {
      if (auto n = integer(name); n && *n >= 0) {
        return static_cast<int>(*n);
      }
    }
  }
  return 0;
}

}  // namespace canopy::env
