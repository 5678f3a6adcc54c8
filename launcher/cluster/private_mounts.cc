#include "launcher/cluster/private_mounts.h"

#include <algorithm>
#include <cerrno>
#include <string_view>

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace canopy::cluster {
namespace {

constexpr std::string_view kPrivateFolders[] = {"/tmp", "/dev/shm"};

// "machine/tmp": where the machine's own folder is found on a host.
std::string kept_place(const ClusterFiles& files, std::string_view folder) {
  std::string leaf(folder.substr(1));
  std::replace(leaf.begin(), leaf.end(), '/', '-');
  return files.path("machine/" + leaf);
}

Result<> bind_at(const std::string& from, const std::string& to) {
  // Recursive, because in a user namespace a mount cannot be taken without what is mounted below
  // it.
  if (mount(from.c_str(), to.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0) {
    return fail_errno(Errc::not_supported, errno, "cannot show {} at {}", from, to);
  }
  return {};
}

Result<> set_read_only(const std::string& path, bool read_only) {
  mount_attr change{};
  (read_only ? change.attr_set : change.attr_clr) = MOUNT_ATTR_RDONLY;
  if (syscall(SYS_mount_setattr, AT_FDCWD, path.c_str(), 0, &change, sizeof change) != 0) {
    return fail_errno(Errc::not_supported, errno, "cannot make {} {}", path,
                      read_only ? "read-only" : "writable");
  }
  return {};
}

Result<> mount_fresh(const char* type, const std::string& path, const char* options) {
  if (mount(type, path.c_str(), type, MS_NOSUID | MS_NODEV, options) != 0) {
    return fail_errno(Errc::not_supported, errno, "cannot mount a {} of a host's own at {}", type,
                      path);
  }
  return {};
}

Result<> make_folder(const std::string& path) {
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return fail_errno(Errc::io, errno, "cannot make {}", path);
  }
  return {};
}

bool same_file(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

Result<> make_mount_point(const std::string& path, bool folder) {
  if (folder) {
    return make_folder(path);
  }
  UniqueFd file(open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!file) {
    return fail_errno(Errc::io, errno, "cannot make {}", path);
  }
  return {};
}

}  // namespace

Result<> separate_mounts() {
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return fail_errno(Errc::not_supported, errno, "cannot separate the mounts of a host");
  }
  return {};
}

Result<> mount_proc_and_hosts(const ClusterFiles& files) {
  CANOPY_TRY(mount_fresh("proc", "/proc", nullptr));
  return bind_at(files.path("hosts"), "/etc/hosts");
}

Result<> prepare_private_folders(const ClusterFiles& files) {
  CANOPY_TRY(make_folder(files.path("machine")));
  for (std::string_view folder : kPrivateFolders) {
    CANOPY_TRY(make_folder(kept_place(files, folder)));
  }
  return make_folder(files.path("session"));
}

Result<> mount_private_folders(const ClusterFiles& files) {
  for (std::string_view folder : kPrivateFolders) {
    const std::string place(folder);
    const std::string kept = kept_place(files, folder);
    CANOPY_TRY(bind_at(place, kept));
    CANOPY_TRY(set_read_only(kept, true));
    CANOPY_TRY(mount_fresh("tmpfs", place, "mode=1777"));
  }
  return {};
}

Result<> mount_session_folder(const ClusterFiles& files) {
  return mount_fresh("tmpfs", files.path("session"), "mode=0700");
}

void unmount_session_folder(const ClusterFiles& files) {
  umount2(files.path("session").c_str(), MNT_DETACH);
}

std::string entry_to_show(const std::string& path) {
  for (std::string_view folder : kPrivateFolders) {
    if (path.starts_with(folder) && path.size() > folder.size() + 1 && path[folder.size()] == '/') {
      return path.substr(0, path.find('/', folder.size() + 1));
    }
  }
  return "";
}

Result<> show_entry(const ClusterFiles& files, const std::string& entry) {
  const size_t leaf = entry.rfind('/');
  const std::string kept = kept_place(files, entry.substr(0, leaf)) + entry.substr(leaf);
  struct stat wanted {};
  if (stat(kept.c_str(), &wanted) != 0) {
    return {};
  }
  struct stat seen {};
  if (stat(entry.c_str(), &seen) == 0) {
    if (same_file(wanted, seen)) {
      return {};
    }
    // What was shown before may have been removed and made again on the machine.
    umount2(entry.c_str(), MNT_DETACH);
  }
  CANOPY_TRY(make_mount_point(entry, S_ISDIR(wanted.st_mode)));
  CANOPY_TRY(bind_at(kept, entry));
  return set_read_only(entry, false);
}

}  // namespace canopy::cluster
