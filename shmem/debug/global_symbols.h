// GlobalSymbols: which global or static of the executable an address lies in, and how far that reaches, by the symbol
// table of its file. A stripped executable has none, and then nothing is known. Read once; then any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace canopy::shmem {

class GlobalSymbols {
 public:
  struct Symbol {
    uintptr_t begin;
    size_t bytes;
    std::string name;  // as the linker knows it
    uintptr_t end() const { return begin + bytes; }
    // "the global 'counts' of 40 bytes at 0x..."
    std::string text() const;
  };

  GlobalSymbols() = default;
  // In any order; those that lie within others (aliases) are left out.
  explicit GlobalSymbols(std::vector<Symbol> symbols);
  // Those of this process's executable that lie in [begin, begin + bytes).
  static GlobalSymbols of_program(uintptr_t begin, size_t bytes);

  // Null when `address` lies in none: between objects, or in one without a name.
  const Symbol* holding(uintptr_t address) const;

 private:
  std::vector<Symbol> symbols_;  // by begin, apart from each other
};

}  // namespace canopy::shmem
