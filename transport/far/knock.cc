#include "transport/far/knock.h"

#include <sys/types.h>

#include <cerrno>
#include <cstring>
#include <type_traits>

namespace canopy::transport::far {
namespace {

constexpr uint32_t kMagic = 0x43444f33;  // "CDO3": changes with the format
// Much more than any welcome has; a stranger's length is not believed beyond it.
constexpr uint32_t kLongest = 1u << 20;

class Writer {
 public:
  template <class T>
  void number(T value) {
    static_assert(std::is_integral_v<T>);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void text(std::string_view value) {
    number(static_cast<uint32_t>(value.size()));
    bytes_ += value;
  }
  void raw(const void* data, size_t nbytes) {
    bytes_.append(static_cast<const char*>(data), nbytes);
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// Reads past the end give zeros and make ok() false.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : left_(bytes) {}
  template <class T>
  T number() {
    T value{};
    raw(&value, sizeof value);
    return value;
  }
  std::string text() {
    const auto nbytes = number<uint32_t>();
    if (nbytes > left_.size()) {
      ok_ = false;
      return {};
    }
    std::string value(left_.substr(0, nbytes));
    left_.remove_prefix(nbytes);
    return value;
  }
  void raw(void* to, size_t nbytes) {
    if (nbytes > left_.size()) {
      ok_ = false;
      return;
    }
    std::memcpy(to, left_.data(), nbytes);
    left_.remove_prefix(nbytes);
  }
  bool ok() const { return ok_; }
  bool at_end() const { return left_.empty(); }

 private:
  std::string_view left_;
  bool ok_ = true;
};

Result<> whole(const Reader& reader, const char* what, size_t nbytes) {
  if (!reader.ok() || !reader.at_end()) {
    return fail(Errc::parse, "{} of {} bytes is not one", what, nbytes);
  }
  return {};
}

}  // namespace

std::string DoorAddress::pack() const {
  Writer writer;
  writer.number(token);
  writer.number(port);
  for (const HostAddress& host : hosts) {
    writer.number(static_cast<uint8_t>(host.size()));
    writer.raw(host.bytes.data(), host.size());
  }
  return writer.take();
}

Result<DoorAddress> DoorAddress::unpack(std::string_view bytes) {
  Reader reader(bytes);
  DoorAddress door;
  door.token = reader.number<uint64_t>();
  door.port = reader.number<uint16_t>();
  while (reader.ok() && !reader.at_end()) {
    const auto nbytes = reader.number<uint8_t>();
    HostAddress& host = door.hosts.emplace_back();
    host.family = nbytes == 4 ? AF_INET : AF_INET6;
    if (nbytes != host.size()) {
      return fail(Errc::parse, "the address of a door has a host of {} bytes", nbytes);
    }
    reader.raw(host.bytes.data(), nbytes);
  }
  CANOPY_TRY(whole(reader, "the address of a door", bytes.size()));
  return door;
}

std::string Knock::pack() const {
  Writer writer;
  writer.number(kMagic);
  writer.number(token);
  writer.text(provider);
  writer.number(static_cast<uint8_t>(has_questions));
  writer.number(static_cast<uint8_t>(purpose));
  writer.number(rail);
  return writer.take();
}

Result<Knock> Knock::unpack(std::string_view bytes) {
  Reader reader(bytes);
  const auto magic = reader.number<uint32_t>();
  Knock knock;
  knock.token = reader.number<uint64_t>();
  knock.provider = reader.text();
  knock.has_questions = reader.number<uint8_t>() != 0;
  const auto purpose = reader.number<uint8_t>();
  knock.purpose = static_cast<Purpose>(purpose);
  knock.rail = reader.number<uint64_t>();
  CANOPY_TRY(whole(reader, "a knock", bytes.size()));
  if (magic != kMagic || purpose > static_cast<uint8_t>(Purpose::close_rail)) {
    return fail(Errc::parse, "a knock in another format: {:#x}", magic);
  }
  return knock;
}

std::string Welcome::pack() const {
  Writer writer;
  writer.number(kMagic);
  writer.number(token);
  writer.text(refusal);
  writer.text(address);
  writer.number(rail);
  for (const PeerRegion& region : regions) {
    writer.number(region.id);
    writer.number(region.bytes);
    writer.text(region.key);
  }
  return writer.take();
}

Result<Welcome> Welcome::unpack(std::string_view bytes) {
  Reader reader(bytes);
  const auto magic = reader.number<uint32_t>();
  Welcome welcome;
  welcome.token = reader.number<uint64_t>();
  welcome.refusal = reader.text();
  welcome.address = reader.text();
  welcome.rail = reader.number<uint64_t>();
  while (reader.ok() && !reader.at_end()) {
    PeerRegion& region = welcome.regions.emplace_back();
    region.id = reader.number<RegionId>();
    region.bytes = reader.number<uint64_t>();
    region.key = reader.text();
  }
  CANOPY_TRY(whole(reader, "a welcome", bytes.size()));
  if (magic != kMagic) {
    return fail(Errc::parse, "a welcome in another format: {:#x}", magic);
  }
  return welcome;
}

Result<> send_framed(int fd, std::string_view message) {
  Writer writer;
  writer.text(message);
  const std::string bytes = writer.take();
  for (size_t sent = 0; sent < bytes.size();) {
    const ssize_t n = ::send(fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (n < 0 && errno != EINTR) {
      return fail_errno(errno == EAGAIN ? Errc::timeout : Errc::io, errno,
                        "{} bytes cannot be sent", bytes.size());
    }
    sent += n < 0 ? 0 : static_cast<size_t>(n);
  }
  return {};
}

namespace {

Result<> receive_exactly(int fd, char* to, size_t nbytes) {
  for (size_t got = 0; got < nbytes;) {
    const ssize_t n = ::recv(fd, to + got, nbytes - got, 0);
    if (n == 0) {
      return fail(Errc::closed, "the other side closed after {} of {} bytes", got, nbytes);
    }
    if (n < 0 && errno != EINTR) {
      return fail_errno(errno == EAGAIN ? Errc::timeout : Errc::io, errno,
                        "{} bytes cannot be received", nbytes);
    }
    got += n < 0 ? 0 : static_cast<size_t>(n);
  }
  return {};
}

}  // namespace

Result<std::string> receive_framed(int fd) {
  uint32_t nbytes = 0;
  CANOPY_TRY(receive_exactly(fd, reinterpret_cast<char*>(&nbytes), sizeof nbytes));
  if (nbytes > kLongest) {
    return fail(Errc::parse, "a message of {} bytes; {} are the most", nbytes, kLongest);
  }
  std::string message(nbytes, '\0');
  CANOPY_TRY(receive_exactly(fd, message.data(), nbytes));
  return message;
}

}  // namespace canopy::transport::far
