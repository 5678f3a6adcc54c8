#include "transport/ofi/server.h"

#include "runtime/base/log.h"
#include "transport/base/direct_memory.h"

#include <cstring>

namespace canopy::transport::ofi {

std::optional<Server::Answer> Server::execute(std::span<const std::byte> message) {
  const auto kind = message.empty() ? MessageKind{} : static_cast<MessageKind>(message[0]);
  if (kind == MessageKind::hello) {
    greet(message);
    return std::nullopt;
  }
  Request request;
  if (message.size() != sizeof request || kind < MessageKind::amo || kind > MessageKind::flush) {
    log(LogLevel::error, "ofi: a message of kind {} with {} bytes is dropped",
        static_cast<int>(kind), message.size());
    return std::nullopt;
  }
  std::memcpy(&request, message.data(), sizeof request);
  const auto sender = senders_.find(request.sender);
  if (sender == senders_.end()) {
    log(LogLevel::error, "ofi: a message of kind {} from an unknown sender is dropped",
        static_cast<int>(kind));
    return std::nullopt;
  }
  uint64_t old = 0;
  const Errc code = apply(request, old);
  if (code != Errc::ok) {
    log(LogLevel::error,
        "ofi: a message of kind {} (operation {}, {} bytes at region {} offset {}) is dropped: {}",
        static_cast<int>(kind), request.op, request.width, request.region, request.offset,
        to_string(code));
  } else if (request.token == 0) {
    return std::nullopt;
  }
  return Answer{Reply{.kind = MessageKind::reply,
                      .padding = 0,
                      .code = static_cast<uint16_t>(code),
                      .region = request.region,
                      .sender = request.sender,
                      .target = id_,
                      .token = request.token,
                      .value = request.token != 0 ? old : request.offset},
                sender->second};
}

void Server::greet(std::span<const std::byte> message) {
  Hello hello;
  if (message.size() < offsetof(Hello, address) || message.size() > sizeof hello) {
    log(LogLevel::error, "ofi: a greeting of {} bytes is dropped", message.size());
    return;
  }
  std::memcpy(&hello, message.data(), message.size());
  const size_t address_bytes = message.size() - offsetof(Hello, address);
  if (hello.address_bytes != address_bytes) {
    log(LogLevel::error, "ofi: a greeting with {} bytes of address, not {}, is dropped",
        address_bytes, hello.address_bytes);
    return;
  }
  auto address = domain_.insert_address({hello.address, address_bytes});
  if (!address) {
    log(LogLevel::error, "ofi: a greeting is dropped: {}", error_text::newest());
    return;
  }
  senders_[hello.sender] = *address;
}

Errc Server::apply(const Request& request, uint64_t& old) const {
  Errc code = Errc::ok;
  if (request.kind == MessageKind::flush) {
    return code;  // that it is executed now is all it asks for
  }
  const bool is_signal = request.kind == MessageKind::signal;
  const auto last_op = is_signal ? static_cast<uint8_t>(SignalOp::add) : static_cast<uint8_t>(kLastAmoOp);
  if ((request.width != 4 && request.width != 8) || request.op > last_op) {
    return Errc::invalid_argument;
  }
  if (is_signal) {
    if (std::byte* at = word(request, request.width, code)) {
      direct::signal(at, {static_cast<SignalOp>(request.op), request.value, request.width});
    }
    return code;
  }
  if (std::byte* at = word(request, request.width, code)) {
    old = direct::amo(
        at, {static_cast<AmoOp>(request.op), request.width, request.value, request.compare});
  }
  return code;
}

std::byte* Server::word(const Request& request, size_t width, Errc& code) const {
  const LocalRegion* region = registry_.region(request.region);
  if (region == nullptr) {
    code = Errc::not_found;
    return nullptr;
  }
  const uint64_t bytes = region->memory.size();
  if (request.offset > bytes || width > bytes - request.offset) {
    code = Errc::out_of_range;
    return nullptr;
  }
  std::byte* at = region->memory.data() + request.offset;
  if (reinterpret_cast<uintptr_t>(at) % width != 0) {
    code = Errc::misaligned;
    return nullptr;
  }
  return at;
}

}  // namespace canopy::transport::ofi
