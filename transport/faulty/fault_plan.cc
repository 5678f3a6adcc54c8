#include "transport/faulty/fault_plan.h"

#include <charconv>

namespace canopy::transport {
namespace {

template <class T>
bool number(std::string_view text, T* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

bool take(FaultPlan& plan, std::string_view word) {
  if (word == "reorder") {
    plan.reorder = true;
    return true;
  }
  const size_t equals = word.find('=');
  if (equals == std::string_view::npos) {
    return false;
  }
  const std::string_view name = word.substr(0, equals);
  const std::string_view value = word.substr(equals + 1);
  if (name == "seed") {
    plan.seeded = true;
    return number(value, &plan.seed);
  }
  if (name == "delay") {
    return number(value, &plan.delay);
  }
  if (name == "again") {
    return number(value, &plan.again) && plan.again < 100;  // at 100 nothing would ever pass
  }
  if (name == "window") {
    return number(value, &plan.window) && plan.window > 0;
  }
  if (name == "fail") {
    return number(value, &plan.fail);
  }
  if (name == "drop") {
    return number(value, &plan.drop);
  }
  if (name == "kill") {
    return number(value, &plan.kill);
  }
  return name == "only" && number(value, &plan.only) && plan.only >= 0;
}

}  // namespace

Result<FaultPlan> FaultPlan::parse(std::string_view text) {
  FaultPlan plan;
  while (!text.empty()) {
    const size_t comma = text.find(',');
    const std::string_view word = text.substr(0, comma);
    if (!word.empty() && !take(plan, word)) {
      return canopy::fail(
          Errc::parse,
          "CANOPY_FAULTY: '{}' is none of seed=N delay=N reorder again=N (below 100) "
          "window=N fail=N drop=N kill=N only=PE",
          word);
    }
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
  }
  return plan;
}

std::string FaultPlan::text() const {
  std::string out = fmt::format("seed={}", seed);
  const auto add = [&](const char* name, uint64_t value, uint64_t usual) {
    if (value != usual) {
      out += fmt::format(",{}={}", name, value);
    }
  };
  add("delay", delay, 0);
  if (reorder) {
    out += ",reorder";
  }
  add("again", again, 0);
  add("window", window, FaultPlan().window);
  add("fail", fail, 0);
  add("drop", drop, 0);
  add("kill", kill, 0);
  if (only >= 0) {
    out += fmt::format(",only={}", only);
  }
  return out;
}

uint64_t FaultRandom::next() {
  uint64_t z = state_ += 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

}  // namespace canopy::transport
