// Byte-range locks that belong to an open file description (F_OFD_*), never to a process: two
// descriptions opened by one process exclude each other, and the lock goes when the last descriptor
// *and the last mapping* of the description go. None of these calls blocks.
#pragma once

#include "runtime/base/unique_fd.h"

#include <fcntl.h>

#include <cerrno>

namespace canopy::range_lock {

inline struct flock range(short type, off_t byte, off_t bytes) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = byte;
  lock.l_len = bytes;  // l_pid stays 0: the kernel asks for that
  return lock;
}

// Takes the byte exclusively (F_WRLCK) or shared (F_RDLCK), or turns the one into the other. False
// when another description is in the way.
inline bool try_take(const UniqueFd& fd, short type, off_t byte) {
  struct flock lock = range(type, byte, 1);
  return ::fcntl(fd.get(), F_OFD_SETLK, &lock) == 0;
}

inline void drop(const UniqueFd& fd, off_t byte) {
  struct flock lock = range(F_UNLCK, byte, 1);
  ::fcntl(fd.get(), F_OFD_SETLK, &lock);
}

// Of the whole file; also for duplicates of the descriptor in other processes.
inline void drop_all(const UniqueFd& fd) {
  struct flock lock = range(F_UNLCK, 0, 0);
  ::fcntl(fd.get(), F_OFD_SETLK, &lock);
}

// Whether another open file description holds the byte. A failing question counts as yes: what
// cannot be proved dead is alive.
inline bool held_by_other(const UniqueFd& fd, off_t byte) {
  struct flock lock = range(F_WRLCK, byte, 1);
  return ::fcntl(fd.get(), F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
}

}  // namespace canopy::range_lock
