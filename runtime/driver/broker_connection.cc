#include "runtime/driver/broker_connection.h"

#include "runtime/base/descriptor_limit.h"
#include "runtime/base/mapping.h"
#include "runtime/driver/same_user.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace canopy {

using broker_protocol::Message;
using broker_protocol::Op;
using broker_protocol::Status;

namespace broker_socket {
namespace {

struct AbstractName {
  sockaddr_un name{};
  socklen_t bytes = 0;  // 0: does not fit
};

AbstractName abstract_name(const std::string& address) {
  AbstractName result;
  if (address.empty() || address.size() >= sizeof result.name.sun_path) {
    return result;
  }
  result.name.sun_family = AF_UNIX;
  address.copy(result.name.sun_path + 1, address.size());  // the leading zero byte means abstract
  result.bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + address.size());
  return result;
}

Result<UniqueFd> make_socket() {
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) {
    return fail_errno(Errc::limit, errno, "broker: no socket");
  }
  return socket;
}

// Keeps the first descriptor in `passed` and closes the others.
void take_descriptors(msghdr& header, UniqueFd* passed) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) {
      continue;
    }
    const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int raw;
      std::memcpy(&raw, CMSG_DATA(part) + i * sizeof raw, sizeof raw);
      UniqueFd fd(raw);
      if (!*passed) {
        *passed = std::move(fd);
      }
    }
  }
}

}  // namespace

Credentials peer_credentials(const UniqueFd& socket) {
  ucred found{};
  socklen_t bytes = sizeof found;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &found, &bytes) != 0) {
    return {};
  }
  return {found.pid, found.uid, peer_identity(socket)};
}

Result<UniqueFd> listen_at(const std::string& address) {
  const AbstractName where = abstract_name(address);
  CANOPY_ASSIGN(UniqueFd socket, make_socket());
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&where.name), where.bytes) != 0 ||
      ::listen(socket.get(), SOMAXCONN) != 0) {
    return fail_errno(Errc::io, errno, "broker: cannot listen at '{}'", address);
  }
  return socket;
}

Sent send_message(const UniqueFd& socket, const Message& message, int passed) {
  iovec body{const_cast<Message*>(&message), sizeof message};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr header{};
  header.msg_iov = &body;
  header.msg_iovlen = 1;
  if (passed >= 0) {
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    cmsghdr* part = CMSG_FIRSTHDR(&header);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof passed);
    std::memcpy(CMSG_DATA(part), &passed, sizeof passed);
  }
  ssize_t sent;
  do {
    sent = ::sendmsg(socket.get(), &header, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) {
    return Sent::done;
  }
  if (errno == ETOOMANYREFS) {
    return Sent::crowded;
  }
  const bool full = errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS || errno == ENOMEM;
  return full ? Sent::full : Sent::gone;
}

Got receive_message(const UniqueFd& socket, Message& message, UniqueFd* passed) {
  iovec body{&message, sizeof message};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr header{};
  ssize_t got;
  // A peer that closed without reading all makes the first call fail with ECONNRESET, once; what it
  // had sent before (its GOODBYE, maybe) is still there behind it.
  bool reset_seen = false;
  for (;;) {
    header = {};
    header.msg_iov = &body;
    header.msg_iovlen = 1;
    header.msg_control = passed != nullptr ? control : nullptr;
    header.msg_controllen = passed != nullptr ? CMSG_LEN(sizeof(int)) : 0;  // room for one
    got = ::recvmsg(socket.get(), &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (got >= 0 || !(errno == EINTR || (errno == ECONNRESET && !reset_seen))) {
      break;
    }
    reset_seen = reset_seen || errno == ECONNRESET;
  }
  if (got < 0) {
    return errno == EAGAIN || errno == EWOULDBLOCK ? Got::nothing_yet : Got::end;
  }
  if (passed != nullptr) {
    passed->reset();
    take_descriptors(header, passed);
  } else if ((header.msg_flags & MSG_CTRUNC) != 0) {
    return Got::misbehaved;
  }
  if (got == 0) {
    return Got::end;
  }
  const bool whole = got == sizeof message && (header.msg_flags & MSG_TRUNC) == 0;
  return whole && message.magic == broker_protocol::kMagic ? Got::message : Got::misbehaved;
}

}  // namespace broker_socket

namespace {

using broker_socket::Got;
using broker_socket::Sent;

enum class Ready { yes, no_more, late };

// `no_more`: the peer reads nothing more or sends nothing more, and what we wait for has not come.
Ready wait_ready(const UniqueFd& socket, short events, Deadline deadline) {
  for (;;) {
    const auto left = deadline.left(monotonic_ns());
    // Rounded up, so that the last millisecond is not a busy one.
    const int64_t ms = std::min<int64_t>(left.count() / 1'000'000 + 1, 60'000);
    pollfd entry{socket.get(), static_cast<short>(events | POLLRDHUP), 0};
    const int ready = ::poll(&entry, 1, left.count() == 0 ? 0 : static_cast<int>(ms));
    if (ready > 0) {
      return (entry.revents & events) != 0 ? Ready::yes : Ready::no_more;
    }
    if (left.count() == 0) {
      return Ready::late;
    }
  }
}

}  // namespace

class BrokerConnection::Turn {
 public:
  Turn(BrokerConnection& connection, Deadline deadline) : connection_(connection) {
    // wait_until() may ask again after a yes.
    const auto got = [&] { return held_ || (held_ = connection_.mutex_.try_lock()); };
    wait_until(got, &connection_.turn_over_, BellScope::process, deadline, [&] {
      return fmt::format("another thread's fetch from broker '{}'", connection_.address_);
    });
  }
  ~Turn() {
    if (held_) {
      connection_.mutex_.unlock();
      connection_.turn_over_.ring(BellScope::process);
    }
  }
  Turn(const Turn&) = delete;
  explicit operator bool() const { return held_; }

 private:
  BrokerConnection& connection_;
  bool held_ = false;
};

tl::unexpected<Error> BrokerConnection::gone() const {
  if (goodbye_) {
    return fail(Errc::closed, "broker '{}' has said goodbye: its process finalized", address_);
  }
  return fail(Errc::peer_lost,
              "broker '{}' is gone: its process died, or one side dropped the connection",
              address_);
}

namespace {

tl::unexpected<Error> late_at(const std::string& address) {
  return fail(Errc::timeout,
              "broker '{}' did not answer in time: its process is stopped, very busy, or has no descriptor left", address);
}

Result<UniqueFd> dial(const std::string& address, Deadline deadline) {
  const auto where = broker_socket::abstract_name(address);
  if (where.bytes == 0) {
    return fail(Errc::invalid_argument, "a broker address has 1 to {} characters, '{}' has {}",
                sizeof where.name.sun_path - 1, address, address.size());
  }
  CANOPY_ASSIGN(UniqueFd socket, broker_socket::make_socket());
  int err = EAGAIN;
  // EAGAIN: the listener's queue is full. There is nothing to poll for that. wait_until() may ask
  // again after a yes.
  const auto settled = [&] {
    const auto* name = reinterpret_cast<const sockaddr*>(&where.name);
    if (err == EAGAIN || err == EINTR) {
      err = ::connect(socket.get(), name, where.bytes) == 0 ? 0 : errno;
    }
    return err != EAGAIN && err != EINTR;
  };
  wait_until(settled, nullptr, BellScope::process, deadline,
             [&] { return fmt::format("broker '{}' to accept a connection", address); });
  if (err == EAGAIN || err == EINTR) {
    return late_at(address);
  }
  if (err == EACCES || err == EPERM) {
    return fail_errno(Errc::no_permission, err, "broker '{}' may not be reached", address);
  }
  if (err != 0) {
    return fail_errno(Errc::not_found, err,
                      "nobody listens at broker '{}': its process is dead, or in another network "
                      "namespace",
                      address);
  }
  // Anybody can take the name of a dead process.
  const auto who = broker_socket::peer_credentials(socket);
  if (!is_our_user(who.uid, who.pid)) {
    return fail(Errc::no_permission, "broker '{}' belongs to uid {}{}, we are uid {}", address, who.uid,
                who.uid == ::geteuid() ? " (which stands for all users that this user namespace does not map)" : "", ::geteuid());
  }
  return socket;
}

}  // namespace

tl::unexpected<Error> BrokerConnection::late() const { return late_at(address_); }

Result<std::shared_ptr<BrokerConnection>> BrokerConnection::open(const std::string& address, uint64_t identity,
                                                                 Deadline deadline) {
  CANOPY_ASSIGN(UniqueFd socket, dial(address, deadline));
  auto connection = over(address, std::move(socket));
  CANOPY_TRY(connection->greet(deadline, identity));
  return connection;
}

std::shared_ptr<BrokerConnection> BrokerConnection::over(const std::string& address, UniqueFd socket) {
  return std::make_shared<BrokerConnection>(Key{}, address, std::move(socket));
}

Result<> BrokerConnection::greet(Deadline deadline, uint64_t identity) {
  const Turn turn(*this, deadline);
  CANOPY_ASSIGN(const Message reply, exchange(Message{.op = Op::hello, .id = identity}, nullptr, deadline));
  switch (reply.status) {
    case Status::ok:
      return {};
    case Status::foreign_version:
      return fail(Errc::not_supported, "broker '{}' speaks version {}, we speak version {}",
                  address_, reply.version, broker_protocol::kVersion);
    case Status::foreign_user:
      return fail(Errc::no_permission, "broker '{}' serves another uid than {}", address_,
                  ::geteuid());
    case Status::too_many_clients:
      return fail(Errc::limit, "broker '{}' has as many connections as it may keep", address_);
    case Status::not_who_it_says:
      return fail(Errc::no_permission, "broker '{}' does not believe that this process holds the slot of the host table that it "
                  "names", address_);
    default:
      return fail(Errc::io, "broker '{}' answers a greeting with status {}", address_,
                  static_cast<uint32_t>(reply.status));
  }
}

Result<Message> BrokerConnection::exchange(Message request, UniqueFd* passed, Deadline deadline) {
  request.serial = ++serial_;
  CANOPY_TRY(post(request, deadline));
  for (;;) {
    Message reply;
    switch (broker_socket::receive_message(socket_, reply, passed)) {
      case Got::message:
        if (reply.op == Op::goodbye) {
          goodbye_ = true;
          return gone();
        }
        // Refusals at the door come before we asked, with serial 0. Other serials are replies that
        // an earlier caller did not wait for.
        if (reply.serial == request.serial || (reply.serial == 0 && reply.op == Op::hello_reply)) {
          return reply;
        }
        if (deadline.passed(monotonic_ns())) {
          return late();  // whoever sends such replies without end must not keep us
        }
        break;
      case Got::nothing_yet:
        if (wait_ready(socket_, POLLIN, deadline) == Ready::late) {
          return late();
        }
        break;
      case Got::end:
        return gone();
      case Got::misbehaved:
        return fail(Errc::io, "broker '{}' sends what is not a message", address_);
    }
  }
}

namespace {

// A file shorter than it is said to be would be a SIGBUS later.
bool is_whole(const Message& reply, const UniqueFd& file) {
  struct stat found {};
  return ::fstat(file.get(), &found) == 0 && lies_within(reply.offset, reply.bytes, static_cast<uint64_t>(found.st_size));
}

bool usable(const Message& reply, const UniqueFd& file) { return file && is_whole(reply, file) && is_sealed(file); }

}  // namespace

// What was given back comes first, then `request`.
Result<> BrokerConnection::post(const Message& request, Deadline deadline) {
  for (;;) {
    if (tell_given_back() && broker_socket::send_message(socket_, request) != Sent::full) {
      return {};  // or the peer is gone: why may lie in the queue
    }
    switch (wait_ready(socket_, POLLOUT, deadline)) {
      case Ready::yes:
        break;
      case Ready::no_more:
        return gone();
      case Ready::late:
        return late();
    }
  }
}

bool BrokerConnection::give_back(uint64_t id, uint64_t serial, bool given_up) {
  {
    std::lock_guard lock(given_back_mutex_);
    given_back_.push_back({id, serial, given_up});
  }
  return tell_given_back();
}

bool BrokerConnection::leave() {
  {
    std::lock_guard lock(given_back_mutex_);
    if (leave_ == Leave::told) {
      return true;
    }
    leave_ = Leave::untold;
  }
  return tell_given_back();
}

// One message is atomic, so a fetch() that is under way on another thread does not matter.
bool BrokerConnection::tell_given_back() {
  std::lock_guard lock(given_back_mutex_);
  while (socket_ && !given_back_.empty()) {
    const auto [id, serial, given_up] = given_back_.back();
    if (broker_socket::send_message(socket_, Message{.op = Op::give_back, .serial = serial, .id = id, .kind = given_up ? 1u : 0u}) == Sent::full) {
      return false;
    }
    given_back_.pop_back();  // sent, or the other side is gone and its leases with it
  }
  if (socket_ && leave_ == Leave::untold) {
    if (broker_socket::send_message(socket_, Message{.op = Op::leave}) == Sent::full) {
      return false;
    }
    leave_ = Leave::told;
  }
  return true;
}

// What comes without its descriptor is of no use: its lease goes back.
Result<Message> BrokerConnection::ask_for(const FetchRequest& wanted, UniqueFd* passed, Deadline deadline) {
  auto reply = exchange(Message{.op = Op::fetch,
                                .id = wanted.id,
                                .secret = {wanted.secret.bits[0], wanted.secret.bits[1]},
                                .kind = static_cast<uint32_t>(wanted.kind),
                                .leased = wanted.leased},
                        passed, deadline);
  if (wanted.leased) {
    std::lock_guard lock(given_back_mutex_);
    leave_ = Leave::no;  // also of a leave() that was told beside this: it may have been heard first
  }
  // The exporter has said yes, or may yet: named by its serial, because there may be no lease, but others of this id.
  if (wanted.leased && (!reply || (reply->status == Status::ok && !usable(*reply, *passed)))) {
    give_back(wanted.id, serial_);
  }
  return reply;
}

Result<FetchedMemory> BrokerConnection::fetch(const FetchRequest& wanted, Deadline deadline) {
  const uint64_t id = wanted.id;
  const Turn turn(*this, deadline);
  if (!turn) {
    return late();
  }
  if (!socket_) {
    return gone();
  }
  FetchedMemory memory;
  CANOPY_ASSIGN(Message reply, ask_for(wanted, &memory.fd, deadline));
  if (reply.op == Op::fetch_reply && reply.status == Status::ok && !memory.fd && descriptors_have_run_out() &&
      raise_descriptor_limit()) {
    CANOPY_ASSIGN(reply, ask_for(wanted, &memory.fd, deadline));
  }
  if (reply.status == Status::unknown_id) {
    return fail(Errc::not_found, "broker '{}' has nothing published as {:#x}", address_, id);
  }
  if (reply.status == Status::not_allowed) {
    return fail(Errc::no_permission,
                "broker '{}': pid {} is not among those allowed to fetch {:#x}", address_,
                ::getpid(), id);
  }
  if (reply.status == Status::too_many_leases) {
    return fail(Errc::limit, "broker '{}': pid {} has as many imports of that process as it may have", address_, ::getpid());
  }
  if (reply.status == Status::too_many_on_the_way) {
    return fail(Errc::limit,
                "broker '{}' cannot pass {:#x}: some process of this user does not take the descriptors that it was sent, and "
                "the limit (RLIMIT_NOFILE of the exporter) is reached",
                address_, id);
  }
  if (reply.op != Op::fetch_reply || reply.status != Status::ok) {
    return fail(Errc::io, "broker '{}' answers a fetch with status {}", address_,
                static_cast<uint32_t>(reply.status));
  }
  if (!memory.fd) {
    return fail(Errc::limit,
                "memory {:#x} of broker '{}' came without its descriptor: {}", id, address_,
                descriptors_have_run_out() ? "this process has none left, raise the limit (ulimit -n)" : "its owner has sent none");
  }
  if (!is_whole(reply, memory.fd)) {
    return fail(Errc::io, "memory {:#x} of broker '{}' has not the {} bytes from {} on that it announces", id, address_,
                reply.bytes, reply.offset);
  }
  if (!is_sealed(memory.fd)) {
    return fail(Errc::io, "memory {:#x} of broker '{}' is refused: its owner could still cut it off (no memory file sealed against shrinking)",
                id, address_);
  }
  memory.bytes = reply.bytes;
  memory.offset = reply.offset;
  memory.device = reply.device;
  if (wanted.leased) {
    memory.lease = {weak_from_this(), id, reply.serial};
  }
  return memory;
}

bool BrokerConnection::drain() {
  // A fetch() that holds the mutex meets the same hang-up, and leaves.
  const Turn turn(*this, Deadline::never());
  Message message;
  UniqueFd unwanted;
  while (broker_socket::receive_message(socket_, message, &unwanted) == Got::message) {
    goodbye_ = goodbye_ || message.op == Op::goodbye;
  }
  return goodbye_;
}

void BrokerConnection::close() {
  const Turn turn(*this, Deadline::never());  // as in drain()
  std::lock_guard lock(given_back_mutex_);
  socket_.reset();
}

void BrokerConnection::shut() {
  // No mutex: a fetch() may hold it for its whole deadline, and one message is atomic.
  broker_socket::send_message(socket_, Message{.op = Op::goodbye});
  ::shutdown(socket_.get(), SHUT_RDWR);
}

}  // namespace canopy
