// Keys that other processes hand in: refused with a sentence, or exactly what their text says. As text with a terminator
// or without one, and as the 64 bytes of an event's handle.
#include "runtime/api/shared_keys.h"
#include "runtime/base/check.h"
#include "runtime/base/log.h"
#include "runtime/driver/shared_key.h"

#include <algorithm>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  using namespace canopy;
  set_log_level(LogLevel::off);
  const std::string text(reinterpret_cast<const char*>(data), bytes);
  int taken = 0;
  for (const ObjectKind kind : {ObjectKind::memory, ObjectKind::notify, ObjectKind::event}) {
    const auto key = SharedKey::parse(kind, text);
    if (key) {
      ++taken;
      CHECK(key->text(kind) == text, "a key's text is the only one that stands for it");
    } else {
      const std::string& sentence = error_text::newest();
      CHECK(!sentence.empty(), "a refusal says why");
      for (const char c : sentence) {
        CHECK(c >= ' ' && c <= '~', "and can be printed");
      }
    }
  }
  CHECK(taken <= 1, "a key is of one kind");
  // What a caller hands in, in memory of just that size: nothing behind it is read.
  for (const size_t room : {acl::kKeyRoom, size_t{64}}) {
    std::vector<char> given(room);
    std::copy_n(text.begin(), std::min(room, text.size()), given.begin());
    const std::string_view seen = room == acl::kKeyRoom ? acl::text_of_key(given.data())
                                                        : std::string_view(given.data(), ::strnlen(given.data(), room));
    CHECK(SharedKey::parse(ObjectKind::event, seen).has_value() == SharedKey::parse(ObjectKind::event, std::string(seen)).has_value(),
          "a key is the same wherever it lies");
  }
  return 0;
}
