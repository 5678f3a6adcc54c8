// CommonText: a text that many hold in common, kept once in the process: a pointer each instead of a string each.
// Kept for ever, so for texts of which there are few: names of hosts, masks of CPUs. Thread-safe.
#pragma once

#include <mutex>
#include <set>
#include <string>
#include <string_view>

namespace canopy::shmem {

class CommonText {
 public:
  CommonText() : CommonText(std::string_view()) {}
  explicit CommonText(std::string_view text) : text_(&kept(text)) {}
  const std::string& text() const { return *text_; }
  // One text has one place.
  bool operator==(const CommonText&) const = default;

 private:
  static const std::string& kept(std::string_view text) {
    struct Pool {
      std::mutex mutex;  // guards texts
      std::set<std::string, std::less<>> texts;
    };
    static Pool* pool = new Pool;  // leaked on purpose: exit handlers still name hosts
    std::lock_guard lock(pool->mutex);
    const auto found = pool->texts.find(text);
    return found != pool->texts.end() ? *found : *pool->texts.emplace(text).first;
  }

  const std::string* text_;
};

}  // namespace canopy::shmem
