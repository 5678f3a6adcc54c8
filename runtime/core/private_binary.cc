#include "runtime/core/private_binary.h"

#include "runtime/base/mapping.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

namespace canopy {
namespace {

// A copy of the T at `offset`; nothing where the file ends before. Files may place headers unaligned.
template <class T>
std::optional<T> read_at(std::span<const std::byte> file, uint64_t offset) {
  if (offset > file.size() || file.size() - offset < sizeof(T)) {
    return std::nullopt;
  }
  T value;
  std::memcpy(&value, file.data() + offset, sizeof value);
  return value;
}

bool inside(std::span<const std::byte> file, uint64_t offset, uint64_t bytes) {
  return offset <= file.size() && bytes <= file.size() - offset;
}

Result<> copy_all(const UniqueFd& from, const UniqueFd& to, off_t bytes, const std::string& path) {
  off_t done = 0;
  while (done < bytes) {
    const ssize_t n = ::sendfile(to.get(), from.get(), &done, static_cast<size_t>(bytes - done));
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n == 0) {
      return fail(Errc::io, "binary '{}' became shorter while it was read", path);
    }
    if (n < 0) {
      return fail_errno(Errc::io, errno, "cannot read binary '{}'", path);
    }
  }
  return {};
}

// The loader remembers libraries by the name they were opened by, and does not look at a name's file again
// while it does. So each load spells the way to its descriptor differently: a number in the binary
// digits "/." and "/", which change nothing about where a path leads.
std::string fresh_name(int fd) {
  static std::atomic<uint64_t> loads{0};
  std::string name = "/proc/self/fd";
  for (uint64_t digits = loads.fetch_add(1, std::memory_order_relaxed); digits != 0; digits >>= 1) {
    name += (digits & 1) != 0 ? "/." : "/";
  }
  return fmt::format("{}/{}", name, fd);
}

}  // namespace

Result<> check_elf(std::span<const std::byte> file, const std::string& path) {
  const auto header = read_at<Elf64_Ehdr>(file, 0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64) {
    return fail(Errc::io, "binary '{}' is not a 64-bit ELF object ({} bytes)", path, file.size());
  }
  for (uint32_t i = 0; i < header->e_phnum; ++i) {
    const auto part = read_at<Elf64_Phdr>(file, header->e_phoff + uint64_t{i} * sizeof(Elf64_Phdr));
    if (!part || (part->p_type == PT_LOAD && !inside(file, part->p_offset, part->p_filesz))) {
      return fail(Errc::io, "binary '{}' is cut short: it has {} bytes, and its headers tell of more", path, file.size());
    }
  }
  return {};
}

void make_unique_symbols_ordinary(std::span<std::byte> file) {
  const auto header = read_at<Elf64_Ehdr>(file, 0);
  for (uint32_t i = 0; header && i < header->e_shnum; ++i) {
    const auto section = read_at<Elf64_Shdr>(file, header->e_shoff + uint64_t{i} * sizeof(Elf64_Shdr));
    if (!section || section->sh_type != SHT_DYNSYM || !inside(file, section->sh_offset, section->sh_size)) {
      continue;
    }
    for (uint64_t at = 0; at + sizeof(Elf64_Sym) <= section->sh_size; at += sizeof(Elf64_Sym)) {
      auto& info = *reinterpret_cast<unsigned char*>(file.data() + section->sh_offset + at + offsetof(Elf64_Sym, st_info));
      if (ELF64_ST_BIND(info) == STB_GNU_UNIQUE) {
        info = ELF64_ST_INFO(STB_WEAK, ELF64_ST_TYPE(info));
      }
    }
  }
}

namespace {

// The name under which reports and debuggers find the copy; longer ones are refused by the system.
std::string short_name(const std::string& path) { return path.substr(path.rfind('/') + 1).substr(0, 200); }

Result<UniqueFd> memory_for(const std::string& path) {
  UniqueFd memory(::memfd_create(short_name(path).c_str(), MFD_CLOEXEC));
  if (!memory) {
    return fail_errno(Errc::no_memory, errno, "cannot create memory for binary '{}'", path);
  }
  return memory;
}

// Of the copy, before the loader sees it.
Result<PrivateBinary> prepare(UniqueFd memory, size_t bytes, const std::string& path) {
  CANOPY_ASSIGN(Mapping copy, Mapping::shared(memory, bytes));
  const std::span<std::byte> contents(copy.base(), bytes);
  CANOPY_TRY(check_elf(contents, path));
  make_unique_symbols_ordinary(contents);
  std::string name = fresh_name(memory.get());
  return PrivateBinary{std::move(memory), std::move(name)};
}

}  // namespace

Result<PrivateBinary> make_private_binary(std::span<const std::byte> file, const std::string& name) {
  CANOPY_TRY(check_elf(file, name));
  CANOPY_ASSIGN(UniqueFd memory, memory_for(name));
  for (size_t done = 0; done < file.size();) {
    const ssize_t n = ::write(memory.get(), file.data() + done, file.size() - done);
    if (n < 0 && errno != EINTR) {
      return fail_errno(Errc::no_memory, errno, "cannot copy the {} bytes of binary '{}'", file.size(), name);
    }
    done += n < 0 ? 0 : static_cast<size_t>(n);
  }
  return prepare(std::move(memory), file.size(), name);
}

Result<PrivateBinary> make_private_binary(const std::string& path) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // a FIFO must not hold us up
  if (!file) {
    return fail_errno(Errc::io, errno, "cannot open binary '{}'", path);
  }
  struct stat status;
  if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return fail(Errc::io, "binary '{}' is not a regular file", path);
  }
  CANOPY_ASSIGN(UniqueFd memory, memory_for(path));
  CANOPY_TRY(copy_all(file, memory, status.st_size, path));
  const auto bytes = static_cast<size_t>(status.st_size);
  if (bytes == 0) {
    return fail(Errc::io, "binary '{}' is empty", path);
  }
  return prepare(std::move(memory), bytes, path);
}

}  // namespace canopy
