// What clients send to a broker: three of them, of which each may do anything, and a fourth that behaves and has
// to be served whatever the others did.
//
//   c K            client K (of 0..2) connects          x K   it hangs up
//   m K OP ID ...  it sends a message (see message())   p AT VALUE K OP ID ...  the same with one byte changed
//   r K SIZE16 FDS BYTES  it sends any record           g K   it reads its replies
//   s K            the broker serves what it sent       w J   object J is withdrawn
//   a J            this process is put on J's list
#include "runtime/base/check.h"
#include "runtime/base/log.h"
#include "runtime/driver/broker_clients.h"
#include "tests/fuzz/broker_record.h"

#include <sys/stat.h>

#include <array>
#include <memory>
#include <set>
#include <vector>

namespace canopy::fuzz {
namespace {

using broker_protocol::Message;
using broker_protocol::Op;
using broker_protocol::Status;

constexpr size_t kClients = 3;
constexpr uint64_t kFileBytes = 64 * 1024;

struct Object {
  uint64_t id = 0;
  Export what;
  ino_t inode = 0;
  bool withdrawn = false;
  bool listed = false;  // this process may have it
};

// Made once: files are what costs time.
const std::array<std::shared_ptr<const UniqueFd>, 3>& files() {
  static const auto all = [] {
    std::array<std::shared_ptr<const UniqueFd>, 3> made;
    for (auto& file : made) {
      auto fd = sealed_memfd("broker-fuzz", kFileBytes);
      CHECK(fd, "this machine has memory files");
      file = std::make_shared<const UniqueFd>(std::move(*fd));
    }
    return made;
  }();
  return all;
}

class Session {
 public:
  Session() {
    publish(0, {}, false);
    publish(1, Secret{{0x1111, 0x2222}}, false);
    publish(2, Secret{{0x3333, 0x4444}}, true);
  }

  void run(Input& input) {
    while (!input.empty()) {
      step(input);
    }
    for (size_t k = 0; k < kClients; ++k) {
      serve(k);
    }
    the_good_one_is_served();
    everything_comes_back();
  }

 private:
  void publish(size_t at, Secret secret, bool listed_only) {
    Export what{.fd = files()[at], .bytes = kFileBytes / 2, .offset = 4096 * at, .kind = static_cast<ObjectKind>(1 + at),
                .device = static_cast<int32_t>(at), .secret = secret, .listed_only = listed_only, .tells_attendance = true, .pids = {}, .owner = {}};
    if (listed_only) {
      what.pids = std::vector<pid_t>{1};
    }
    struct stat found {};
    ::fstat(what.fd->get(), &found);
    Object& object = objects_[at];
    object.inode = found.st_ino;
    object.listed = !listed_only;
    what.owner = owner_;
    object.what = what;
    object.id = clients_.publish(std::move(what), 7);
  }

  void step(Input& input) {
    const uint8_t what = input.byte();
    if (what == 'w' || what == 'a') {
      change(objects_[input.byte() % objects_.size()], what == 'w');
      return;
    }
    const size_t at = what == 'p' ? input.byte() % sizeof(Message) : 0;
    const uint8_t value = what == 'p' ? input.byte() : 0;
    const size_t k = input.byte() % kClients;
    switch (what) {
      case 'c':
        connect(k);
        break;
      case 'x':
        ends_[k].reset();
        break;
      case 'm':
      case 'p': {
        Message sent = message(input);
        if (what == 'p') {
          reinterpret_cast<uint8_t*>(&sent)[at] ^= value;
          altered_ = true;
        }
        polite_[k] = polite_[k] || sent.op == Op::goodbye;
        send_record(ends_[k], bytes_of(sent), -1, 0);
        break;
      }
      case 'r':
        polite_[k] = altered_ = true;  // who knows
        send_any(ends_[k], input, files()[0]->get());
        break;
      case 'g':
        read_replies(k);
        break;
      case 's':
        serve(k);
        break;
      default:
        break;
    }
  }

  // OP ID: ID 0..2 is an object, with its kind and secret unless bit 6 or bit 7 spoils them, 3 is no object at
  // all; bit 5 asks for a lease. OP is taken as it is.
  Message message(Input& input) {
    Message result{.op = static_cast<Op>(input.byte()), .serial = ++serial_};
    const uint8_t id = input.byte();
    result.leased = (id >> 5) & 1;
    if ((id & 3) == 3) {
      result.id = input.number<uint64_t>();
      return result;
    }
    const Object& object = objects_[id & 3];
    result.id = object.id;
    result.kind = static_cast<uint32_t>(object.what.kind) ^ ((id >> 6) & 1);
    result.secret[0] = object.what.secret.bits[0];
    result.secret[1] = object.what.secret.bits[1] ^ (id >> 7);
    if (id >= 0x40) {
      wrong_.insert(result.serial);
    }
    return result;
  }

  void change(Object& object, bool withdraw) {
    if (withdraw) {
      clients_.withdraw(object.id);
      object.withdrawn = true;
    } else if (clients_.allow(object.id, ProcessList({::getpid()}), next_token_) == BrokerClients::Allowed::yes) {
      object.listed = true;
    }
    clients_.take_remains();
  }

  void connect(size_t k) {
    if (ends_[k]) {
      return;
    }
    end(k);  // the broker hears of the hang-up before
    SocketPair pair;
    ends_[k] = std::move(pair.ours);
    tokens_[k] = next_token_++;
    polite_[k] = false;
    clients_.admit(std::move(pair.theirs), tokens_[k]);
  }

  size_t leases() const {
    size_t sum = 0;
    for (const Object& object : objects_) {
      sum += clients_.leases(object.id);
    }
    return sum;
  }

  // This process is the only one that is ever listed, and does not count.
  void check_attendance() {
    for (const Object& object : objects_) {
      const bool used = clients_.leases(object.id) != 0;
      const Attendance told = clients_.attendance(object.id);
      CHECK(told != Attendance::deserted, "nobody who could end is listed");
      CHECK(!used || told == Attendance::expected, "who has a lease is there");
      CHECK(object.withdrawn || used || told == Attendance::absent, "who has given it back is not");
    }
  }

  // False when `k` is nobody's any more.
  bool handle(size_t k) {
    const size_t before = leases();
    const bool known = clients_.handle(tokens_[k]);
    const size_t ended = before - std::min(before, leases());
    check_attendance();
    const auto lost = clients_.take_remains().lost;
    CHECK(lost.empty() || lost.size() == ended, "every lease that was lost is told, and no other");
    CHECK(ended < 2 || polite_[k] || lost.size() == ended, "who hangs up without a goodbye has lost its leases");
    for (const auto& each : lost) {
      CHECK(each.pid == ::getpid(), "a lease was this process's");
    }
    return known;
  }

  // Hangs up, and lets the broker read what is left.
  void end(size_t k) {
    ends_[k].reset();
    while (handle(k)) {
    }
  }

  // All that lies there, as epoll would report it again and again.
  void serve(size_t k) {
    for (int i = 0; i < 64 && handle(k); ++i) {
    }
  }

  void read_replies(size_t k) {
    Message reply;
    UniqueFd passed;
    while (ends_[k] && broker_socket::receive_message(ends_[k], reply, &passed) == broker_socket::Got::message) {
      check(reply, passed);
    }
  }

  void check(const Message& reply, const UniqueFd& passed) {
    CHECK(reply.version == broker_protocol::kVersion, "a broker speaks its own version");
    CHECK(reply.op == Op::hello_reply || reply.op == Op::fetch_reply, "nothing else is ever answered");
    const bool given = reply.op == Op::fetch_reply && reply.status == Status::ok;
    CHECK(given == static_cast<bool>(passed), "a descriptor comes with a fetch that was granted, and with nothing else");
    if (given) {
      CHECK(altered_ || !wrong_.contains(reply.serial), "who does not know kind and secret gets nothing");
      const auto object = std::find_if(objects_.begin(), objects_.end(), [&](const Object& each) { return each.id == reply.id; });
      CHECK(object != objects_.end(), "only what is published is given");
      CHECK(object->listed, "who is not on the list gets nothing");
      struct stat found {};
      CHECK(::fstat(passed.get(), &found) == 0 && found.st_ino == object->inode, "the id's own file is given");
      CHECK(reply.bytes == object->what.bytes && reply.offset == object->what.offset, "with its own size");
    }
  }

  void the_good_one_is_served() {
    SocketPair pair;
    const uint64_t token = next_token_++;
    clients_.admit(std::move(pair.theirs), token);
    const Object& object = objects_[0];
    const Message hello{.op = Op::hello, .serial = ++serial_};
    const Message fetch{.op = Op::fetch, .serial = ++serial_, .id = object.id, .kind = static_cast<uint32_t>(object.what.kind), .leased = 1};
    for (const Message& sent : {hello, fetch}) {
      send_record(pair.ours, bytes_of(sent), -1, 0);
      CHECK(clients_.handle(token), "a client that behaves is not dropped");
      Message reply;
      UniqueFd passed;
      CHECK(broker_socket::receive_message(pair.ours, reply, &passed) == broker_socket::Got::message, "and is answered");
      CHECK(reply.serial == sent.serial, "what it asked");
      check(reply, passed);
      check_attendance();
      CHECK(reply.status == (sent.op == Op::fetch && object.withdrawn ? Status::unknown_id : Status::ok), "as it should be");
    }
    pair.ours.reset();
    while (clients_.handle(token)) {
    }
    clients_.take_remains();
  }

  // Leases end with who holds them, objects with the last of them.
  void everything_comes_back() {
    for (size_t k = 0; k < kClients; ++k) {
      end(k);
    }
    for (Object& object : objects_) {
      clients_.withdraw(object.id);
      object.what = {};
    }
    clients_.take_remains();
    CHECK(owner_.use_count() == 1, "no lease outlives its client");
  }

  const std::string address_ = "fuzz";
  UniqueFd epoll_{::epoll_create1(EPOLL_CLOEXEC)};
  const BrokerClients::Doubt nobody_;
  BrokerClients clients_{address_, epoll_, nobody_};
  std::shared_ptr<int> owner_ = std::make_shared<int>();
  std::array<Object, 3> objects_;
  std::array<UniqueFd, kClients> ends_;
  std::array<uint64_t, kClients> tokens_{};
  std::array<bool, kClients> polite_{};  // may have said goodbye
  std::set<uint64_t> wrong_;             // serials of requests with a wrong kind or secret
  bool altered_ = false;                 // serials may not be ours
  uint64_t next_token_ = 1;
  uint64_t serial_ = 0;
};

}  // namespace
}  // namespace canopy::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  using namespace canopy;
  set_log_level(LogLevel::off);
  fuzz::files();
  const int before = fuzz::lowest_free_fd();
  {
    fuzz::Input input(data, bytes);
    fuzz::Session().run(input);
  }
  CHECK(fuzz::lowest_free_fd() == before, "no descriptor is left behind");
  return 0;
}
