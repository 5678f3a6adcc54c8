#include "runtime/device/symbol_registry.h"

#include "canopy/symbol.h"

#include <map>
#include <mutex>

namespace canopy {
namespace {

struct Symbols {
  std::mutex mutex;  // guards bytes
  std::map<const void*, size_t> bytes;
};

// Leaked: static constructors of any module may register before ours have run, and their
// destructors come after ours.
Symbols& symbols() {
  static auto* instance = new Symbols;
  return *instance;
}

}  // namespace

std::optional<size_t> symbol_bytes(const void* symbol) {
  std::lock_guard lock(symbols().mutex);
  const auto found = symbols().bytes.find(symbol);
  return found == symbols().bytes.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace canopy

void canopy_register_symbol(const void* symbol, size_t bytes) {
  std::lock_guard lock(canopy::symbols().mutex);
  canopy::symbols().bytes[symbol] = bytes;
}

void canopy_unregister_symbol(const void* symbol) {
  std::lock_guard lock(canopy::symbols().mutex);
  canopy::symbols().bytes.erase(symbol);
}
