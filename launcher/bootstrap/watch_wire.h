// What the leaders of hosts say to each other (host_watch.h).
//
//   frame     | u8 type | u32 length | payload: length bytes |      integers are big-endian
//   greeting  | "canopyW1" | u32 from | u32 to | u64 nonce of `to` |
//   heartbeat | nothing |
//   notice    | u8 kind | u32 origin | u32 number | u32 subject | text |
//   goodbye   | nothing |        the answer to a notice that its sender leaves
//
// Both sides begin with a greeting, which proves by the other's nonce that they have read its card.
// Origin and number name a notice: it travels on several ways and is taken once.
// Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace canopy::watch {

enum class FrameType : uint8_t { greeting = 1, heartbeat = 2, notice = 3, goodbye = 4 };

struct Frame {
  FrameType type;
  std::string payload;
};

struct Greeting {
  uint32_t from;
  uint32_t to;
  uint64_t nonce;
};

enum class NoticeKind : uint8_t {
  told = 1,  // by tell_all(); `subject` is the teller
  lost = 2,  // host `subject` is given up; the text says why
  left = 3,  // host `subject` leaves in order
};

struct Notice {
  NoticeKind kind;
  uint32_t origin;
  uint32_t number;
  uint32_t subject;
  std::string text;
};

void append_frame(std::string& out, FrameType type, std::string_view payload);
std::string encode(const Greeting& greeting);
std::string encode(const Notice& notice);
// Nothing when the payload is none.
std::optional<Greeting> decode_greeting(std::string_view payload);
std::optional<Notice> decode_notice(std::string_view payload);

enum class Taken : uint8_t { whole, incomplete, malformed };
// Takes one frame from the front of `in`. `longest`: the most bytes a payload may have.
Taken take_frame(std::string& in, size_t longest, Frame* frame);

}  // namespace canopy::watch
