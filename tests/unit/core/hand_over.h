// HandOver: makes what one stream is given from now on come after what another has been given, by
// one of all the ways of the interface.
#pragma once

#include "acl/acl.h"

#include <cstdint>
#include <functional>

namespace canopy::test {

struct HandOverEnd {
  aclrtContext context;
  aclrtStream stream;
};

class HandOver {
 public:
  static constexpr uint32_t kWays = 9;
  using Must = std::function<void(aclError code, const char* what)>;

  // `must` is told the result of every call.
  explicit HandOver(Must must) : must_(std::move(must)) {}
  // `word`: 8 bytes of device memory that both devices may reach, of this pair alone, 0 at first;
  // each use by it stores a larger value.
  void run(uint32_t way, const HandOverEnd& from, const HandOverEnd& to, uint64_t* word,
           uint64_t value) const;

 private:
  void by_event(uint32_t way, const HandOverEnd& from, const HandOverEnd& to) const;
  void by_notify(bool wait_first, const HandOverEnd& from, const HandOverEnd& to) const;
  void by_counter(const HandOverEnd& from, const HandOverEnd& to, uint64_t value) const;
  void enter(const HandOverEnd& end) const;

  const Must must_;
};

}  // namespace canopy::test
