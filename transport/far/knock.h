// What two processes say to each other before their first operation, over a short TCP connection.
//
//   initiator -> door   Knock     who I want, which provider I use
//   door -> initiator   Welcome   the endpoint's address there, the keys of its regions
//
// The same over each further rail, before the first stripe takes it (rail_keeper.h).
//
// Who says in its knock that it has questions keeps the connection, its line: each framed message
// on it is a question, and gets a framed answer. What is asked is the business of the users of both
// sides; that the line has ended tells the door's that the asker is gone.
//
// The address of a door goes into the PE's card, and is all that the job exchanges at its start:
// the network stack is opened when somebody knocks. Framed by a length; one architecture per job.
#pragma once

#include "runtime/base/result.h"
#include "transport/base/transport.h"
#include "transport/far/host_address.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace canopy::transport::far {

// Where a door is. The token proves that what answers is that door, and that who knocks was told:
// an address of ours may be somebody else's on another host (bridges of containers are).
struct DoorAddress {
  uint64_t token = 0;
  uint16_t port = 0;
  std::vector<HostAddress> hosts;  // the order in which to try

  std::string pack() const;
  static Result<DoorAddress> unpack(std::string_view bytes);
};

// What for: to meet, over the network of all that is ordered; to meet over a further rail, which is
// the interface that is knocked at; or to have such a rail closed, so that nothing arrives over it
// any more.
enum class Purpose : uint8_t { meet, rail, close_rail };

struct Knock {
  uint64_t token = 0;
  std::string provider;
  bool has_questions = false;
  Purpose purpose = Purpose::meet;
  uint64_t rail = 0;  // to be closed

  std::string pack() const;
  static Result<Knock> unpack(std::string_view bytes);
};

struct Welcome {
  uint64_t token = 0;   // the door's, back
  std::string refusal;  // not empty: why not; nothing else counts then
  std::string address;
  uint64_t rail = 0;  // by what number it is closed
  std::vector<PeerRegion> regions;

  std::string pack() const;
  static Result<Welcome> unpack(std::string_view bytes);
};

// One framed message over a socket. Errors: closed, timeout (of the socket's own limits), io,
// parse.
Result<> send_framed(int fd, std::string_view message);
Result<std::string> receive_framed(int fd);

}  // namespace canopy::transport::far
