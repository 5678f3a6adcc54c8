// How the broker targets describe one record that a peer sends.
//
// The inputs are small programs, so that a fuzzer gets past the first check: an operation (a letter) and its
// operands. Of the operations that send, the targets have these in common:
//
//   r SIZE16 FDS BYTES    a record of any bytes, with FDS % 4 descriptors
//   p AT VALUE ...        a well-formed message (what follows depends on the target) with one byte changed
#pragma once

#include "runtime/base/mapping.h"
#include "runtime/base/unique_fd.h"
#include "runtime/driver/broker_protocol.h"
#include "tests/fuzz/input.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <string>
#include <string_view>

namespace canopy::fuzz {

struct SocketPair {
  UniqueFd ours, theirs;

  SocketPair() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0) {
      ours.reset(ends[0]);
      theirs.reset(ends[1]);
    }
  }
};

// The lowest descriptor that is free: the same before and after, when none was leaked.
inline int lowest_free_fd() { return UniqueFd(::fcntl(0, F_DUPFD_CLOEXEC, 0)).get(); }

// Sends what it can; a full queue is the other side's to notice.
inline void send_record(const UniqueFd& socket, std::string_view bytes, int passed, size_t count) {
  int fds[4];
  std::fill_n(fds, std::size(fds), passed);
  iovec body{const_cast<char*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fds)] = {};
  msghdr header{};
  header.msg_iov = &body;
  header.msg_iovlen = 1;
  if (count > 0) {
    header.msg_control = control;
    header.msg_controllen = CMSG_SPACE(count * sizeof(int));
    cmsghdr* part = CMSG_FIRSTHDR(&header);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(count * sizeof(int));
    std::memcpy(CMSG_DATA(part), fds, count * sizeof(int));
  }
  ::sendmsg(socket.get(), &header, MSG_NOSIGNAL | MSG_DONTWAIT);
}

inline void send_any(const UniqueFd& socket, Input& input, int passed) {
  const size_t bytes = input.number<uint16_t>();
  const size_t fds = input.byte() % 4;
  send_record(socket, input.bytes(bytes), passed, fds);
}

inline std::string_view bytes_of(const broker_protocol::Message& message) {
  return {reinterpret_cast<const char*>(&message), sizeof message};
}

}  // namespace canopy::fuzz
