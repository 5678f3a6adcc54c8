// What a broker sends to its clients: an exporter that lies must not hurt who imports from it.
//
// The records lie in the socket before they are asked for; each call of the connection takes what it takes, and
// has no time to wait for more.
//
//   m OP STATUS SERIAL KIND BYTES64 OFFSET64   a reply; SERIAL 0 none, else what the client's Nth request has; KIND of
//                                              descriptor: see passed()
//   p AT VALUE ...       the same with one byte changed
//   r SIZE16 FDS BYTES   any record
//   f                    the client fetches            b ID64   it gives back
//   h                    the client greets             e   the broker sends no more      x   it hangs up
#include "runtime/base/check.h"
#include "runtime/base/log.h"
#include "runtime/driver/broker_connection.h"
#include "tests/fuzz/broker_record.h"

#include <sys/mman.h>
#include <sys/stat.h>

namespace canopy::fuzz {
namespace {

using broker_protocol::Message;
using broker_protocol::Op;
using broker_protocol::Status;

// 0 none, 1 a memory file as it should be, 2 one that can be cut, 3 no file at all.
int passed(uint8_t kind) {
  static const UniqueFd sealed = std::move(*sealed_memfd("server-fuzz", 64 * 1024));
  static const UniqueFd open_to_cuts(::memfd_create("server-fuzz", MFD_CLOEXEC));
  static const SocketPair no_file;
  switch (kind % 4) {
    case 1:
      return sealed.get();
    case 2:
      return open_to_cuts.get();
    case 3:
      return no_file.ours.get();
    default:
      return -1;
  }
}

void send_reply(const UniqueFd& socket, Input& input, bool changed) {
  const size_t at = changed ? input.byte() % sizeof(Message) : 0;
  const uint8_t value = changed ? input.byte() : 0;
  Message reply{.op = static_cast<Op>(input.byte()), .status = static_cast<Status>(input.byte())};
  reply.serial = input.byte();
  const int fd = passed(input.byte());
  reply.bytes = input.number<uint64_t>();
  reply.offset = input.number<uint64_t>();
  reinterpret_cast<uint8_t*>(&reply)[at] ^= value;
  send_record(socket, bytes_of(reply), fd, fd < 0 ? 0 : 1);
}

void fetch(BrokerConnection& connection) {
  const auto got = connection.fetch(FetchRequest{.id = 5, .secret = {}}, Deadline::at_ns(0));
  if (!got) {
    return;
  }
  struct stat found {};
  CHECK(got->fd && ::fstat(got->fd.get(), &found) == 0, "what was fetched has a file");
  CHECK(lies_within(got->offset, got->bytes, static_cast<uint64_t>(found.st_size)), "and lies within it");
  CHECK((::fcntl(got->fd.get(), F_GET_SEALS) & F_SEAL_SHRINK) != 0, "and nobody can cut it off");
}

void run(Input& input) {
  SocketPair pair;
  const auto connection = BrokerConnection::over("fuzz", std::move(pair.ours));
  while (!input.empty()) {
    switch (const uint8_t what = input.byte()) {
      case 'm':
      case 'p':
        send_reply(pair.theirs, input, what == 'p');
        break;
      case 'r':
        send_any(pair.theirs, input, passed(1));
        break;
      case 'h':
        (void)connection->greet(Deadline::at_ns(0));
        break;
      case 'f':
        fetch(*connection);
        break;
      case 'b':
        connection->give_back(input.number<uint64_t>(), input.number<uint64_t>());
        break;
      case 'e':
        ::shutdown(pair.theirs.get(), SHUT_WR);
        break;
      case 'x':
        pair.theirs.reset();
        break;
      default:
        break;
    }
  }
  pair.theirs.reset();
  fetch(*connection);
  connection->drain();
  connection->close();
  fetch(*connection);
}

}  // namespace
}  // namespace canopy::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  using namespace canopy;
  set_log_level(LogLevel::off);
  fuzz::passed(0);
  const int before = fuzz::lowest_free_fd();
  {
    fuzz::Input input(data, bytes);
    fuzz::run(input);
  }
  CHECK(fuzz::lowest_free_fd() == before, "no descriptor is left behind");
  return 0;
}
