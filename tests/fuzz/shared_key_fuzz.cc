// Keys that other processes hand in: refused with a sentence, or exactly what their text says.
#include "runtime/base/check.h"
#include "runtime/base/log.h"
#include "runtime/driver/shared_key.h"

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
  return 0;
}
