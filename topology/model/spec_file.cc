// Finding and reading spec files.
#include "topology/model/spec_file.h"

#include "runtime/base/env.h"
#include "runtime/base/unique_fd.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <sys/stat.h>

namespace canopy::topology {
namespace {
namespace fs = std::filesystem;
constexpr off_t kMostBytes = 1 << 20;
constexpr std::string_view kSuffix = ".json";

// The folder of the library or program that this code was linked into; "" when not known.
fs::path own_folder() {
  Dl_info info{};
  link_map* map = nullptr;
  if (dladdr1(reinterpret_cast<const void*>(&own_folder), &info, reinterpret_cast<void**>(&map),
              RTLD_DL_LINKMAP) == 0 ||
      map == nullptr) {
    return {};
  }
  // The main program has no name in the link map, and dli_fname is its argv[0], which says nothing
  // about its place when the shell found it in PATH.
  fs::path file = *map->l_name == '\0' ? fs::path("/proc/self/exe") : fs::path(map->l_name);
  std::error_code ignored;  // a path that cannot be resolved gives "", and the next place is tried
  return fs::canonical(file, ignored).parent_path();
}

std::vector<fs::path> spec_folders() {
  std::vector<fs::path> folders;
  if (auto list = env::text("CANOPY_SPEC_PATH")) {
    for (size_t begin = 0; begin <= list->size();) {
      size_t end = std::min(list->find(':', begin), list->size());
      if (end > begin) {
        folders.emplace_back(list->substr(begin, end - begin));
      }
      begin = end + 1;
    }
  }
  if (fs::path own = own_folder(); !own.empty()) {
    folders.push_back(own / "../share/canopy/specs");
    folders.push_back(own / "../../share/canopy/specs");  // lib/<multiarch triple>/
  }
  folders.emplace_back(CANOPY_SOURCE_SPEC_DIR);
  return folders;
}

Result<std::string> read_text(const std::string& path) {
  // Non-blocking, so that opening a pipe that nobody writes to does not hang.
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) {
    int error = errno;
    return fail_errno(error == ENOENT ? Errc::not_found : Errc::io, error,
                      "spec {}: cannot open the file", path);
  }
  struct stat status {};
  if (fstat(fd.get(), &status) != 0) {
    return fail_errno(Errc::io, errno, "spec {}: cannot read the file's size", path);
  }
  if (!S_ISREG(status.st_mode)) {
    return fail(Errc::invalid_argument, "spec {}: not a regular file", path);
  }
  if (status.st_size > kMostBytes) {
    return fail(Errc::limit, "spec {}: {} bytes, the limit is {}", path, status.st_size,
                kMostBytes);
  }
  std::string text(static_cast<size_t>(status.st_size), '\0');
  for (size_t done = 0; done < text.size();) {
    ssize_t n = read(fd.get(), text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n < 0) {
      return fail_errno(Errc::io, errno, "spec {}: read failed after {} bytes", path, done);
    }
    if (n == 0) {
      text.resize(done);  // it shrank meanwhile; the parser will say what is missing
    }
    done += static_cast<size_t>(n);
  }
  return text;
}

}  // namespace

Result<Machine> load_spec(const std::string& name_or_path) {
  std::string path = name_or_path;
  if (path.find('/') == std::string::npos && !path.ends_with(kSuffix)) {
    path.clear();
    for (const fs::path& folder : spec_folders()) {
      fs::path candidate = folder / (name_or_path + std::string(kSuffix));
      std::error_code ignored;  // a folder that cannot be read has no specs for us
      if (fs::exists(candidate, ignored)) {
        path = candidate.lexically_normal().string();
        break;
      }
    }
    if (path.empty()) {
      return fail(Errc::not_found,
                  "spec '{}': no installed spec has this name; there are: auto, {} (a file of your "
                  "own is named with its path, such as ./{}.json)",
                  name_or_path, fmt::join(installed_specs(), ", "), name_or_path);
    }
  }
  CANOPY_ASSIGN(std::string text, read_text(path));
  return parse_spec(text, path);
}

std::vector<std::string> installed_specs() {
  std::vector<std::string> names;
  for (const fs::path& folder : spec_folders()) {
    std::error_code ignored;  // as above
    for (const auto& entry : fs::directory_iterator(folder, ignored)) {
      if (entry.path().extension() == kSuffix) {
        names.push_back(entry.path().stem().string());
      }
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace canopy::topology
