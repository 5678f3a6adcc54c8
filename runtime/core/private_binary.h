// A private copy of a shared object in memory, so that the dynamic loader takes every load for a library
// it has never seen and gives it state of its own.
//
// Three things would make two loads one, or an unload none: the file's identity (so: a memfd), the name it
// is opened by (so: a name that never comes back), and symbols of the GNU unique kind, which the
// loader merges over all libraries and never unloads (so: the copy's are made ordinary ones).
#pragma once

#include "runtime/base/result.h"
#include "runtime/base/unique_fd.h"

#include <cstddef>
#include <span>
#include <string>

namespace canopy {

struct PrivateBinary {
  UniqueFd memory;
  std::string name;  // for dlopen; leads to `memory` while that is open
};

// Errc::io with the reason: not a regular file, not an ELF object of this machine's width, cut short.
Result<PrivateBinary> make_private_binary(const std::string& path);
// The same of `file`, bytes that may go on return; `name` is for texts.
Result<PrivateBinary> make_private_binary(std::span<const std::byte> file, const std::string& name);

// The check and the change behind it, on the bytes of a file. A file that lacks bytes its headers promise
// would end the process when the loader touches them.
Result<> check_elf(std::span<const std::byte> file, const std::string& path);
void make_unique_symbols_ordinary(std::span<std::byte> file);

}  // namespace canopy
