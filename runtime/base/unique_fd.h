// UniqueFd: owns one file descriptor; move-only; closes in the destructor.
//
// Never 0, 1 or 2: a program whose standard streams are closed would read and write our files as them. One of these
// numbers is moved up, or closed, with errno, where no other is left.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace canopy {

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(above_standard(fd)) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) {
      reset(std::exchange(other.fd_, -1));
    }
    return *this;
  }
  ~UniqueFd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1) {
    if (fd_ >= 0) {
      ::close(fd_);  // Linux frees the descriptor even on EINTR; a retry could close a stranger's
    }
    fd_ = above_standard(fd);
  }

 private:
  static int above_standard(int fd) {
    constexpr int kFirst = 3;
    if (fd < 0 || fd >= kFirst) [[likely]] {
      return fd;
    }
    const int moved = ::fcntl(fd, F_DUPFD_CLOEXEC, kFirst);
    const int err = errno;
    ::close(fd);
    errno = err;
    return moved;
  }

  int fd_ = -1;
};

}  // namespace canopy
