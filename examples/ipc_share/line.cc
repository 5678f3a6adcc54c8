#include "line.h"

#include "side.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

Line::~Line() { close(fd_); }

void Line::send_bytes(const void* bytes, unsigned size) {
  require(send(fd_, bytes, size, MSG_NOSIGNAL) == static_cast<ssize_t>(size),
          "the other process is gone");
}

bool Line::receive_if_alive(void* bytes, unsigned size) {
  ssize_t got = 0;
  do {
    got = recv(fd_, bytes, size, 0);
  } while (got < 0 && errno == EINTR);
  return got == static_cast<ssize_t>(size);
}

void Line::receive_bytes(void* bytes, unsigned size) {
  require(receive_if_alive(bytes, size), "the other process is gone");
}
