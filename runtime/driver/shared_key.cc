#include "runtime/driver/shared_key.h"

#include <algorithm>
#include <charconv>

namespace canopy {
namespace {

constexpr std::string_view kPrefix = "cnp";
constexpr size_t kIdAt = 4;
constexpr size_t kDash = 20;

struct Kind {
  ObjectKind kind;
  char letter;
  const char* name;
};
constexpr Kind kKinds[] = {{ObjectKind::memory, 'm', "memory"},
                           {ObjectKind::notify, 'n', "a notify"},
                           {ObjectKind::event, 'e', "an event"}};

const Kind& kind_of(ObjectKind kind) {
  return *std::find_if(std::begin(kKinds), std::end(kKinds), [&](const Kind& each) { return each.kind == kind; });
}

// 16 digits as text() writes them: lower case, nothing else.
bool read_number(std::string_view digits, uint64_t* number) {
  const bool plain = std::all_of(digits.begin(), digits.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
  return plain && std::from_chars(digits.data(), digits.data() + digits.size(), *number, 16).ec == std::errc();
}

// What a caller gave us, as far as it can be shown.
std::string shown(std::string_view text) {
  std::string result(text.substr(0, SharedKey::kCharacters));
  std::replace_if(result.begin(), result.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return result;
}

}  // namespace

std::string SharedKey::text(ObjectKind kind) const {
  return fmt::format("{}{}{:016x}-{:016x}{:016x}", kPrefix, kind_of(kind).letter, id, secret.bits[0], secret.bits[1]);
}

Result<SharedKey> SharedKey::parse(ObjectKind kind, std::string_view text) {
  const Kind& wanted = kind_of(kind);
  if (text.size() != kCharacters) {
    return fail(Errc::invalid_argument, "the key '{}' has {} characters; one of {} has {}", shown(text), text.size(),
                wanted.name, kCharacters);
  }
  SharedKey key;
  if (text.substr(0, kPrefix.size()) != kPrefix || text[kDash] != '-' ||
      !read_number(text.substr(kIdAt, 16), &key.id) ||
      !read_number(text.substr(kDash + 1, 16), &key.secret.bits[0]) ||
      !read_number(text.substr(kDash + 17, 16), &key.secret.bits[1])) {
    return fail(Errc::invalid_argument, "'{}' is no key that another process of this host has exported", shown(text));
  }
  if (text[kPrefix.size()] != wanted.letter) {
    return fail(Errc::invalid_argument, "the key '{}' is none of {}", shown(text), wanted.name);
  }
  return key;
}

}  // namespace canopy
