#include "launcher/cluster/cluster_files.h"

#include "runtime/base/env.h"
#include "runtime/base/random_id.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace canopy::cluster {
namespace {
namespace fs = std::filesystem;

constexpr size_t kMaxName = 64;

bool is_private_folder_of_user(const std::string& path) {
  struct stat status {};
  return lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid();
}

// The hosts cover /tmp and /dev/shm by their own: what they must find cannot lie there.
bool is_covered_on_hosts(const std::string& path) {
  return path.starts_with("/tmp/") || path.starts_with("/dev/shm/");
}

std::string folder_of_clusters() {
  if (geteuid() == 0) {
    return "/run/canopy-cluster";
  }
  const std::string by_system = fmt::format("/run/user/{}", geteuid());
  for (const std::string& runtime : {env::text("XDG_RUNTIME_DIR").value_or(""), by_system}) {
    if (!is_covered_on_hosts(runtime) && is_private_folder_of_user(runtime)) {
      return runtime + "/canopy-cluster";
    }
  }
  return fmt::format("/var/tmp/canopy-cluster-{}", geteuid());
}

// An open file description lock: it ends with the last process that inherited the descriptor, and
// asking for it disturbs nobody (flock could only be tried, and a try can fail somebody else's).
struct flock whole_file(short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return lock;
}

bool is_locked(int fd) {
  struct flock lock = whole_file(F_WRLCK);
  return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

Result<> clear_leftovers(const std::string& folder) {
  std::error_code err;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, err)) {
    if (entry.path().filename() != "lock") {
      fs::remove_all(entry.path(), err);
    }
    if (err) {
      break;
    }
  }
  if (err) {
    return fail_errno(Errc::io, err.value(), "cannot clear {}", folder);
  }
  return {};
}

}  // namespace

Result<ClusterFiles> ClusterFiles::of(std::string name) {
  const bool readable = std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.';
  });
  if (name.empty() || name.size() > kMaxName || !readable || name.front() == '.') {
    return fail(
        Errc::invalid_argument,
        "'{}' cannot name a cluster: 1 to {} letters, digits, '_', '-' and '.', not beginning "
        "with '.'",
        name, kMaxName);
  }
  std::string folder = folder_of_clusters() + "/" + name;
  return ClusterFiles(std::move(name), std::move(folder));
}

std::vector<std::string> ClusterFiles::living() {
  std::vector<std::string> names;
  std::error_code none;  // no folder: no clusters
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_of_clusters(), none)) {
    auto files = of(entry.path().filename());
    if (files && files->is_up()) {
      names.push_back(files->name());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<UniqueFd> ClusterFiles::claim() const {
  const std::string parent = fs::path(folder_).parent_path();
  for (;;) {
    if ((mkdir(parent.c_str(), 0700) != 0 && errno != EEXIST) ||
        !is_private_folder_of_user(parent)) {
      return fail_errno(Errc::no_permission, errno, "cannot use {} for the state of clusters",
                        parent);
    }
    if (mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST && errno != ENOENT) {
      return fail_errno(Errc::io, errno, "cannot make {}", folder_);
    }
    UniqueFd lock(open(path("lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!lock && errno == ENOENT) {
      continue;  // a `down` took the folder away in between
    }
    struct flock whole = whole_file(F_WRLCK);
    if (!lock || fcntl(lock.get(), F_OFD_SETLK, &whole) != 0) {
      const int err = errno;
      if (lock && (err == EAGAIN || err == EACCES)) {
        return fail(Errc::busy, "cluster '{}' is up already (--name makes another, down ends it)",
                    name_);
      }
      return fail_errno(Errc::io, err, "cannot lock {}", path("lock"));
    }
    struct stat ours {};
    struct stat now {};
    if (fstat(lock.get(), &ours) != 0 || stat(path("lock").c_str(), &now) != 0 ||
        ours.st_ino != now.st_ino) {
      continue;  // locked a file that a `down` has just removed
    }
    CANOPY_TRY(clear_leftovers(folder_));
    return lock;
  }
}

bool ClusterFiles::is_up() const {
  UniqueFd lock(open(path("lock").c_str(), O_RDWR | O_CLOEXEC));
  return lock && is_locked(lock.get());
}

Result<> ClusterFiles::write_state(const State& state) const {
  const nlohmann::json json = {{"hosts", state.layout.hosts},
                               {"rails", state.layout.rails},
                               {"head", state.head},
                               {"head_pid_ns", state.head_pid_ns},
                               {"first", state.first}};
  return write("state.json", json.dump());
}

Result<State> ClusterFiles::read_state() const {
  if (!is_up()) {
    const auto names = living();
    return fail(Errc::not_found, "no cluster '{}' is up ({})", name_,
                names.empty() ? "none is: canopy cluster up N makes one"
                              : fmt::format("up: {}; --name chooses", fmt::join(names, ", ")));
  }
  const auto text = read("state.json");
  if (!text) {
    return fail(Errc::not_ready, "cluster '{}' is still being made", name_);
  }
  const auto json = nlohmann::json::parse(*text, nullptr, false);
  State state;
  try {
    state.layout = {json.at("hosts"), json.at("rails")};
    state.head = json.at("head");
    state.head_pid_ns = json.at("head_pid_ns");
    state.first = json.at("first").get<std::vector<pid_t>>();
  } catch (const nlohmann::json::exception& error) {
    return fail(Errc::parse, "{} is damaged: {}", path("state.json"), error.what());
  }
  if (state.first.size() != static_cast<size_t>(state.layout.hosts)) {
    return fail(Errc::parse, "{} is damaged: {} hosts, {} of them with a process",
                path("state.json"), state.layout.hosts, state.first.size());
  }
  return state;
}

Result<> ClusterFiles::write(std::string_view leaf, std::string_view text) const {
  // Renamed into place: a reader sees all of it or nothing.
  const std::string draft = path(fmt::format("{}.{:016x}.draft", leaf, random_id()));
  std::ofstream file(draft);
  file << text;
  file.close();
  if (!file || rename(draft.c_str(), path(leaf).c_str()) != 0) {
    return fail_errno(Errc::io, errno, "cannot write {}", path(leaf));
  }
  return {};
}

std::optional<std::string> ClusterFiles::read(std::string_view leaf) const {
  std::ifstream file(path(leaf));
  if (!file) {
    return std::nullopt;
  }
  return std::string(std::istreambuf_iterator<char>(file), {});
}

void ClusterFiles::forget(std::string_view leaf) const { unlink(path(leaf).c_str()); }

Result<> ClusterFiles::remove_all() const {
  std::error_code err;
  fs::remove_all(folder_, err);
  if (err) {
    return fail_errno(Errc::io, err.value(), "cannot remove {}", folder_);
  }
  // The last one takes the common folder along; it fails, as it should, while others are up.
  rmdir(fs::path(folder_).parent_path().c_str());
  return {};
}

}  // namespace canopy::cluster
