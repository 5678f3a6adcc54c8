#include "shmem/debug/global_symbols.h"

#include "runtime/base/unique_fd.h"

#include <cxxabi.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>
#include <span>
#include <tuple>
#include <type_traits>

namespace canopy::shmem {
namespace {

// The executable's file. What its headers say is believed only as far as the file reaches.
class ElfFile {
 public:
  explicit ElfFile(const char* path) : fd_(::open(path, O_RDONLY | O_CLOEXEC)) {
    struct stat found {};
    if (fd_ && ::fstat(fd_.get(), &found) == 0) {
      bytes_ = static_cast<uint64_t>(found.st_size);
    }
  }

  // Empty unless all of it is there.
  template <class T>
  std::vector<T> read(uint64_t offset, uint64_t bytes) const {
    static_assert(std::is_trivially_copyable_v<T>);
    if (offset > bytes_ || bytes > bytes_ - offset) {
      return {};
    }
    std::vector<T> out(bytes / sizeof(T));
    size_t done = 0;
    const size_t wanted = out.size() * sizeof(T);
    while (done < wanted) {
      const ssize_t n = ::pread(fd_.get(), reinterpret_cast<char*>(out.data()) + done, wanted - done,
                                static_cast<off_t>(offset + done));
      if (n <= 0) {
        return {};
      }
      done += static_cast<size_t>(n);
    }
    return out;
  }

 private:
  UniqueFd fd_;
  uint64_t bytes_ = 0;
};

// How far from its link addresses the executable is loaded.
uintptr_t load_bias() {
  uintptr_t bias = 0;
  ::dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* into) {
        *static_cast<uintptr_t*>(into) = info->dlpi_addr;
        return 1;  // the first object is the executable
      },
      &bias);
  return bias;
}

bool is_object(const ElfW(Sym) & symbol) {
  return ELF64_ST_TYPE(symbol.st_info) == STT_OBJECT && symbol.st_shndx != SHN_UNDEF && symbol.st_size != 0;
}

std::string name_at(std::span<const char> names, uint32_t at) {
  if (at >= names.size()) {
    return "";
  }
  const auto rest = names.subspan(at);
  return {rest.begin(), std::find(rest.begin(), rest.end(), '\0')};
}

}  // namespace

std::string GlobalSymbols::Symbol::text() const {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> plain(abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status),
                                                          &std::free);
  return fmt::format("the global '{}' of {} bytes at {:#x}", plain != nullptr ? plain.get() : name.c_str(), bytes, begin);
}

GlobalSymbols::GlobalSymbols(std::vector<Symbol> symbols) {
  std::sort(symbols.begin(), symbols.end(), [](const Symbol& a, const Symbol& b) {
    return std::tuple(a.begin, b.bytes) < std::tuple(b.begin, a.bytes);  // of one beginning, the longest first
  });
  for (Symbol& symbol : symbols) {
    if (symbols_.empty() || symbol.end() > symbols_.back().end()) {
      symbols_.push_back(std::move(symbol));
    }
  }
}

GlobalSymbols GlobalSymbols::of_program(uintptr_t begin, size_t bytes) {
  const ElfFile file("/proc/self/exe");
  const auto header = file.read<ElfW(Ehdr)>(0, sizeof(ElfW(Ehdr)));
  if (header.empty() || header[0].e_shentsize != sizeof(ElfW(Shdr))) {
    return {};
  }
  const auto sections = file.read<ElfW(Shdr)>(header[0].e_shoff, uint64_t{header[0].e_shnum} * sizeof(ElfW(Shdr)));
  const uintptr_t bias = load_bias();
  std::vector<Symbol> found;
  for (const auto& section : sections) {
    if (section.sh_type != SHT_SYMTAB || section.sh_link >= sections.size()) {
      continue;
    }
    const auto& strings = sections[section.sh_link];
    const auto names = file.read<char>(strings.sh_offset, strings.sh_size);
    for (const auto& symbol : file.read<ElfW(Sym)>(section.sh_offset, section.sh_size)) {
      const uintptr_t at = bias + symbol.st_value;
      if (is_object(symbol) && at - begin < bytes && symbol.st_size <= bytes - (at - begin)) {
        found.push_back({at, symbol.st_size, name_at(names, symbol.st_name)});
      }
    }
  }
  return GlobalSymbols(std::move(found));
}

const GlobalSymbols::Symbol* GlobalSymbols::holding(uintptr_t address) const {
  const auto after = std::upper_bound(symbols_.begin(), symbols_.end(), address,
                                      [](uintptr_t at, const Symbol& symbol) { return at < symbol.begin; });
  return after != symbols_.begin() && address < std::prev(after)->end() ? &*std::prev(after) : nullptr;
}

}  // namespace canopy::shmem
