// WatchLink: one TCP connection that never blocks, with what still has to be sent and parsed.
//
// One thread. Errors end the connection: closed() becomes true and error() says why, in words.
#pragma once

#include "launcher/bootstrap/watch_address.h"
#include "launcher/bootstrap/watch_wire.h"
#include "runtime/base/unique_fd.h"

#include <string>

namespace canopy::watch {

class WatchLink {
 public:
  // Begins to connect.
  static WatchLink dial(const SocketAddress& address);
  // Takes over an accepted connection.
  explicit WatchLink(UniqueFd accepted);

  int fd() const { return fd_.get(); }
  bool closed() const { return !fd_; }
  bool connecting() const { return connecting_; }
  bool refused() const {
    return refused_;
  }  // nobody listens there: the host lives, the process does not
  const std::string& error() const { return error_; }
  short wanted_events() const;  // for poll()

  // After poll() has reported the events. Connects, sends, and receives into the buffer.
  void advance(short events);
  // Sends at once what the socket takes, the rest later.
  void send(FrameType type, std::string_view payload);
  bool has_unsent() const { return !out_.empty(); }
  // The next received frame. Malformed input ends the connection.
  bool take(Frame* frame);
  // The address of the other side.
  SocketAddress peer() const;
  void close(std::string why);

 private:
  void finish_connect();
  void flush();
  void receive();
  void close_with_errno(const char* what, int err);

  UniqueFd fd_;
  bool connecting_ = false;
  bool refused_ = false;
  bool ended_ = false;  // the other side has closed; what came before is still to be taken
  std::string out_;
  std::string in_;
  std::string error_;
};

}  // namespace canopy::watch
