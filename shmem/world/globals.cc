#include "shmem/world/globals.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>

namespace canopy::shmem {
namespace {

// No constructor has run when these are written: nothing here may need one.
constinit Globals globals;

uintptr_t page() { return static_cast<uintptr_t>(::getauxval(AT_PAGESZ)); }
uintptr_t down(uintptr_t address) { return address & ~(page() - 1); }
uintptr_t up(uintptr_t address) { return down(address + page() - 1); }

// What the executable's headers say.
struct Segment {
  uintptr_t begin = 0, end = 0;
  int count = 0;  // writable ranges that are not RELRO
  uint64_t identity = 0xcbf29ce484222325;

  void mix(uint64_t value) { identity = (identity ^ value) * 0x100000001b3; }
  void mix(const unsigned char* bytes, size_t n) {
    for (size_t i = 0; i < n; ++i) {
      mix(bytes[i]);
    }
  }
};

// Names are padded to 4 bytes, and so are descriptions.
void mix_build_id(Segment& segment, const unsigned char* note, size_t bytes) {
  while (bytes >= sizeof(ElfW(Nhdr))) {
    const auto* header = reinterpret_cast<const ElfW(Nhdr)*>(note);
    const size_t name = (header->n_namesz + 3u) & ~size_t{3};
    const size_t whole = sizeof *header + name + ((header->n_descsz + 3u) & ~size_t{3});
    if (whole > bytes) {
      return;
    }
    if (header->n_type == NT_GNU_BUILD_ID) {
      segment.mix(note + sizeof *header + name, header->n_descsz);
    }
    note += whole;
    bytes -= whole;
  }
}

int read_headers(dl_phdr_info* info, size_t, void* into) {
  Segment& segment = *static_cast<Segment*>(into);
  uintptr_t relro = 0, relro_end = 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& header = info->dlpi_phdr[i];
    const uintptr_t at = info->dlpi_addr + header.p_vaddr;
    if (header.p_type == PT_GNU_RELRO) {
      relro = down(at);
      relro_end = down(at + header.p_memsz);  // as the dynamic linker rounds it
    } else if (header.p_type == PT_NOTE) {
      mix_build_id(segment, reinterpret_cast<const unsigned char*>(at), header.p_memsz);
    }
    segment.mix(header.p_vaddr);
    segment.mix(header.p_memsz);
  }
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& header = info->dlpi_phdr[i];
    if (header.p_type != PT_LOAD || (header.p_flags & PF_W) == 0) {
      continue;
    }
    uintptr_t begin = down(info->dlpi_addr + header.p_vaddr);
    const uintptr_t end = up(info->dlpi_addr + header.p_vaddr + header.p_memsz);
    if (begin >= relro && begin < relro_end) {
      begin = relro_end;
    }
    if (begin < end) {
      segment.begin = begin;
      segment.end = end;
      ++segment.count;
    }
  }
  return 1;  // the first object is the executable
}

// Writes [from, +bytes) to the same place of the copy; false with errno.
using WritePart = bool (*)(const void* from, size_t bytes, uintptr_t offset, void* copy);

// Which pages have something in them, by the page table; all of them where /proc does not tell.
bool copy_touched(uintptr_t begin, uintptr_t end, WritePart write, void* copy) {
  constexpr uint64_t kPresentOrSwapped = 3ull << 62;
  std::array<uint64_t, 512> entries;
  const int map = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, "/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
  bool good = true;
  for (uintptr_t at = begin; at < end && good;) {
    size_t n = std::min<size_t>(entries.size(), (end - at) / page());
    const long got = map < 0 ? -1
                             : ::syscall(SYS_pread64, map, entries.data(), n * sizeof(uint64_t),
                                         at / page() * sizeof(uint64_t));
    if (got <= 0) {
      entries.fill(kPresentOrSwapped);
    } else {
      n = static_cast<size_t>(got) / sizeof(uint64_t);
    }
    for (size_t i = 0; i < n && good;) {
      size_t run = i;
      while (run < n && (entries[run] & kPresentOrSwapped) != 0) {
        ++run;
      }
      if (run > i) {
        const uintptr_t from = at + i * page();
        good = write(reinterpret_cast<const void*>(from), (run - i) * page(), from - begin, copy);
      }
      i = run + 1;
    }
    at += n * page();
  }
  if (map >= 0) {
    ::syscall(SYS_close, map);
  }
  return good;
}

bool write_to_file(const void* from, size_t bytes, uintptr_t offset, void* fd) {
  const auto* at = static_cast<const char*>(from);
  while (bytes != 0) {
    const long n = ::syscall(SYS_pwrite64, *static_cast<int*>(fd), at, bytes, offset);
    if (n <= 0) {
      if (n < 0 && errno == EINTR) {
        continue;
      }
      return false;
    }
    at += n;
    offset += static_cast<uintptr_t>(n);
    bytes -= static_cast<size_t>(n);
  }
  return true;
}

// The file's part of the segment may be on disk only, and still has content: it is read through.
bool copy_segment(const Segment& segment, int fd, uintptr_t file_end) {
  const auto* begin = reinterpret_cast<const void*>(segment.begin);
  return write_to_file(begin, file_end - segment.begin, 0, &fd) &&
         [&] {
           struct Shifted {
             int fd;
             uintptr_t by;
           } to{fd, file_end - segment.begin};
           return copy_touched(
               file_end, segment.end,
               [](const void* from, size_t bytes, uintptr_t offset, void* copy) {
                 auto* shifted = static_cast<Shifted*>(copy);
                 return write_to_file(from, bytes, offset + shifted->by, &shifted->fd);
               },
               &to);
         }();
}

// Where the segment stops to be the file's.
int find_file_end(dl_phdr_info* info, size_t, void* into) {
  Segment& segment = *static_cast<Segment*>(into);
  uintptr_t end = segment.begin;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& header = info->dlpi_phdr[i];
    if (header.p_type == PT_LOAD && (header.p_flags & PF_W) != 0) {
      end = std::max(end, up(info->dlpi_addr + header.p_vaddr + header.p_filesz));
    }
  }
  segment.end = std::min(segment.end, end);
  return 1;
}

void fail_with(const char* step, int error) {
  globals.failed = step;
  globals.error = error;
}

// ---- fork

// Made by the thread that forks; its copy of this is the child's.
struct ForkCopy {
  void* at = nullptr;
  int error = 0;
};
[[gnu::tls_model("initial-exec")]] constinit thread_local ForkCopy fork_copy;

// The file knows which of its pages exist, also those that only peers have written.
bool copy_file(char* to) {
  off_t at = 0;
  const auto size = static_cast<off_t>(globals.bytes);
  while (at < size) {
    const off_t data = ::lseek(globals.fd, at, SEEK_DATA);
    if (data < 0) {
      return errno == ENXIO;  // nothing more
    }
    const off_t hole = ::lseek(globals.fd, data, SEEK_HOLE);
    if (hole < 0) {
      return false;
    }
    for (off_t from = data; from < hole;) {
      const ssize_t n = ::pread(globals.fd, to + from, static_cast<size_t>(hole - from), from);
      if (n <= 0) {
        return false;
      }
      from += n;
    }
    at = hole;
  }
  return true;
}

void before_fork() {
  if (globals.base == 0) {
    return;
  }
  const int saved = errno;
  void* copy = ::mmap(nullptr, globals.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  fork_copy = {};
  if (copy == MAP_FAILED || !copy_file(static_cast<char*>(copy))) {
    fork_copy.error = errno;
    if (copy != MAP_FAILED) {
      ::munmap(copy, globals.bytes);
    }
  } else {
    fork_copy.at = copy;
  }
  errno = saved;
}

void after_fork_in_parent() {
  const int saved = errno;
  if (fork_copy.at != nullptr) {
    ::munmap(fork_copy.at, globals.bytes);
    fork_copy.at = nullptr;
  }
  errno = saved;
}

// Until this has worked the child must not write a global: it would be its parent's.
void after_fork_in_child() {
  if (globals.base == 0) {
    return;
  }
  if (fork_copy.at == nullptr ||
      ::mremap(fork_copy.at, globals.bytes, globals.bytes, MREMAP_MAYMOVE | MREMAP_FIXED,
               reinterpret_cast<void*>(globals.base)) == MAP_FAILED) {
    constexpr char kSentence[] =
        "canopy: a forked child has no memory for a copy of its parent's globals and statics\n";
    (void)!::write(STDERR_FILENO, kSentence, sizeof kSentence - 1);
    ::_exit(1);
  }
  ::close(globals.fd);
  globals = {};
  fork_copy.at = nullptr;
}

}  // namespace

const Globals& process_globals() { return globals; }

Result<> check_globals() {
  if (globals.failed == nullptr) {
    return {};
  }
  if (globals.error == 0) {
    return fail(Errc::not_supported, "globals and statics cannot become symmetric: {}", globals.failed);
  }
  return fail_errno(Errc::not_supported, globals.error,
                    "globals and statics cannot become symmetric: {} failed", globals.failed);
}

}  // namespace canopy::shmem

extern "C" [[gnu::visibility("default")]] void shmemx_symmetric_globals(void) {
  using namespace canopy::shmem;
  if (globals.base != 0 || globals.failed != nullptr) {
    return;
  }
  struct stat tasks{};
  // "." and ".." and one directory per thread.
  if (::stat("/proc/self/task", &tasks) == 0 && tasks.st_nlink > 3) {
    return fail_with("a thread runs already before the program's first constructor", 0);
  }
  Segment segment;
  ::dl_iterate_phdr(read_headers, &segment);
  if (segment.count == 0) {
    return;  // nothing that could be symmetric
  }
  if (segment.count > 1) {
    return fail_with("the executable has several writable segments beside RELRO", 0);
  }
  Segment file = segment;
  ::dl_iterate_phdr(find_file_end, &file);
  const size_t bytes = segment.end - segment.begin;
  int fd = static_cast<int>(::syscall(SYS_memfd_create, "canopy-globals", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (fd < 0) {
    return fail_with("memfd_create", errno);
  }
  const char* step = nullptr;
  // First what may write to the segment, where the program brings its own malloc.
  if (::pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child) != 0) {
    step = "pthread_atfork";
  } else if (::ftruncate(fd, static_cast<off_t>(bytes)) != 0) {
    step = "ftruncate";
  } else if (!copy_segment(segment, fd, file.end)) {
    step = "copying the segment";
  } else if (::fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0) {
    step = "sealing";
  } else if (::mmap(reinterpret_cast<void*>(segment.begin), bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
                    0) == MAP_FAILED) {
    step = "mapping the copy over the segment";
  }
  if (step != nullptr) {
    fail_with(step, errno);
    ::close(fd);
    return;
  }
  // Nothing of the executable is written between the copy and here: one thread, and these are the
  // library's own.
  globals.base = segment.begin;
  globals.bytes = bytes;
  globals.identity = segment.identity;
  globals.fd = fd;
}
