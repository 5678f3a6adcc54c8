// SharedKey: what names a shared object towards other processes, where 64 bits are not enough: the object's
// number and 128 random bits.
//
// As text: "cnp" + a letter for the kind + 16 + 32 hexadecimal digits + "-" in between, 53 characters;
// as bytes (64 of them) the same text, filled up with zeros.
#pragma once

#include "runtime/base/result.h"
#include "runtime/driver/broker.h"

#include <string>
#include <string_view>

namespace canopy {

struct SharedKey {
  static constexpr size_t kCharacters = 53;

  uint64_t id = 0;
  Secret secret;

  std::string text(ObjectKind kind) const;
  // Errc::invalid_argument, with what is wrong about it, unless `text` is a key of this kind.
  static Result<SharedKey> parse(ObjectKind kind, std::string_view text);
};

}  // namespace canopy
