#include "runtime/core/loaded_object.h"

#include "runtime/base/unique_fd.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

namespace canopy {
namespace {

struct Search {
  uintptr_t address;
  std::optional<LoadedObject> found;
};

int look_at(dl_phdr_info* info, size_t, void* argument) {
  auto& search = *static_cast<Search*>(argument);
  uintptr_t low = ~uintptr_t{0};
  uintptr_t high = 0;
  bool inside = false;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& part = info->dlpi_phdr[i];
    if (part.p_type != PT_LOAD) {
      continue;
    }
    const uintptr_t begin = info->dlpi_addr + part.p_vaddr;
    const uintptr_t end = begin + part.p_memsz;
    low = std::min(low, begin);
    high = std::max(high, end);
    inside = inside || (search.address >= begin && search.address < end);
  }
  if (!inside) {
    return 0;
  }
  const bool program = info->dlpi_name == nullptr || info->dlpi_name[0] == '\0';
  search.found = LoadedObject{{reinterpret_cast<const std::byte*>(low), high - low},
                              info->dlpi_addr,
                              program ? "/proc/self/exe" : info->dlpi_name};
  return 1;
}

template <class T>
std::optional<T> read_at(std::span<const std::byte> file, uint64_t offset) {
  if (offset > file.size() || file.size() - offset < sizeof(T)) {
    return std::nullopt;
  }
  T value;
  std::memcpy(&value, file.data() + offset, sizeof value);
  return value;
}

// The size of the function at `address` (as the file counts), by one of the file's symbol tables.
std::optional<size_t> size_in_table(std::span<const std::byte> file, const Elf64_Shdr& table,
                                    uint64_t address) {
  for (uint64_t at = 0; at + sizeof(Elf64_Sym) <= table.sh_size; at += sizeof(Elf64_Sym)) {
    const auto symbol = read_at<Elf64_Sym>(file, table.sh_offset + at);
    if (!symbol) {
      break;
    }
    if (symbol->st_value == address && ELF64_ST_TYPE(symbol->st_info) == STT_FUNC &&
        symbol->st_size != 0) {
      return symbol->st_size;
    }
  }
  return std::nullopt;
}

std::optional<size_t> size_in_file(std::span<const std::byte> file, uint64_t address) {
  const auto header = read_at<Elf64_Ehdr>(file, 0);
  for (uint32_t i = 0; header && i < header->e_shnum; ++i) {
    const auto section =
        read_at<Elf64_Shdr>(file, header->e_shoff + uint64_t{i} * sizeof(Elf64_Shdr));
    if (section && (section->sh_type == SHT_SYMTAB || section->sh_type == SHT_DYNSYM)) {
      if (const auto bytes = size_in_table(file, *section, address)) {
        return bytes;
      }
    }
  }
  return std::nullopt;
}

}  // namespace

Result<LoadedObject> find_loaded_object(const void* address) {
  Search search{reinterpret_cast<uintptr_t>(address), std::nullopt};
  ::dl_iterate_phdr(&look_at, &search);
  if (!search.found) {
    return fail(Errc::not_found, "{} lies in no loaded object", fmt::ptr(address));
  }
  return std::move(*search.found);
}

Result<size_t> function_bytes(const void* address) {
  CANOPY_ASSIGN(const LoadedObject object, find_loaded_object(address));
  const UniqueFd file(::open(object.file.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status;
  if (!file || ::fstat(file.get(), &status) != 0) {
    return fail_errno(Errc::io, errno, "cannot open '{}' for its symbols", object.file);
  }
  const auto bytes = static_cast<size_t>(status.st_size);
  void* memory = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (memory == MAP_FAILED) {
    return fail_errno(Errc::io, errno, "cannot read '{}' for its symbols", object.file);
  }
  const auto found = size_in_file({static_cast<const std::byte*>(memory), bytes},
                                  reinterpret_cast<uintptr_t>(address) - object.bias);
  ::munmap(memory, bytes);
  if (!found) {
    return fail(Errc::not_supported, "'{}' has no symbol at {}: it was stripped", object.file,
                fmt::ptr(address));
  }
  return *found;
}

}  // namespace canopy
