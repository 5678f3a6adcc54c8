#include "launcher/bootstrap/watch_wire.h"

namespace canopy::watch {
namespace {

constexpr std::string_view kMagic = "canopyW1";
constexpr size_t kHeaderBytes = 5;

template <class T>
void put(std::string& out, T value) {
  for (size_t byte = sizeof(T); byte-- > 0;) {
    out.push_back(static_cast<char>(value >> (8 * byte)));
  }
}

// Takes an integer from the front; false when there are too few bytes.
template <class T>
bool take(std::string_view& in, T* value) {
  if (in.size() < sizeof(T)) {
    return false;
  }
  *value = 0;
  for (size_t byte = 0; byte < sizeof(T); ++byte) {
    *value = static_cast<T>((uint64_t{*value} << 8) | static_cast<uint8_t>(in[byte]));
  }
  in.remove_prefix(sizeof(T));
  return true;
}

}  // namespace

void append_frame(std::string& out, FrameType type, std::string_view payload) {
  put(out, static_cast<uint8_t>(type));
  put(out, static_cast<uint32_t>(payload.size()));
  out.append(payload);
}

std::string encode(const Greeting& greeting) {
  std::string out(kMagic);
  put(out, greeting.from);
  put(out, greeting.to);
  put(out, greeting.nonce);
  return out;
}

std::string encode(const Notice& notice) {
  std::string out;
  put(out, static_cast<uint8_t>(notice.kind));
  put(out, notice.origin);
  put(out, notice.number);
  put(out, notice.subject);
  return out.append(notice.text);
}

std::optional<Greeting> decode_greeting(std::string_view payload) {
  Greeting greeting{};
  if (!payload.starts_with(kMagic)) {
    return std::nullopt;
  }
  payload.remove_prefix(kMagic.size());
  const bool whole = take(payload, &greeting.from) && take(payload, &greeting.to) &&
                     take(payload, &greeting.nonce) && payload.empty();
  return whole ? std::optional(greeting) : std::nullopt;
}

std::optional<Notice> decode_notice(std::string_view payload) {
  Notice notice{};
  uint8_t kind = 0;
  const bool whole = take(payload, &kind) && take(payload, &notice.origin) &&
                     take(payload, &notice.number) && take(payload, &notice.subject);
  if (!whole || kind < static_cast<uint8_t>(NoticeKind::told) ||
      kind > static_cast<uint8_t>(NoticeKind::left)) {
    return std::nullopt;
  }
  notice.kind = static_cast<NoticeKind>(kind);
  notice.text = payload;
  return notice;
}

Taken take_frame(std::string& in, size_t longest, Frame* frame) {
  std::string_view view(in);
  uint8_t type = 0;
  uint32_t length = 0;
  if (!take(view, &type)) {
    return Taken::incomplete;
  }
  if (type < static_cast<uint8_t>(FrameType::greeting) ||
      type > static_cast<uint8_t>(FrameType::goodbye)) {
    return Taken::malformed;  // told from the first byte: a stranger's request is not waited for
  }
  if (!take(view, &length)) {
    return Taken::incomplete;
  }
  if (length > longest) {
    return Taken::malformed;
  }
  if (view.size() < length) {
    return Taken::incomplete;
  }
  frame->type = static_cast<FrameType>(type);
  frame->payload = view.substr(0, length);
  in.erase(0, kHeaderBytes + length);
  return Taken::whole;
}

}  // namespace canopy::watch
