// Result<T>: how every fallible function inside Canopy returns.
//
// Success costs nothing. A failure carries a code, the native number behind it (errno, -FI_*, 0) and
// where it happened; its sentence (values, limits, PE) goes to the calling thread's error text, from
// which the C APIs serve aclGetRecentErrMsg. Thread-safe: all state is per thread.
#pragma once

#include <cstdint>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <tl/expected.hpp>

namespace canopy {

// Grouped by what is lost to the caller: the argument, the handle, a resource, the operation, a peer,
// the device.
enum class Errc : uint16_t {
  ok = 0,
  again,  // back-pressure: nothing happened, progress and retry; never an error shown to users
  // argument
  invalid_argument,
  out_of_range,
  misaligned,
  not_symmetric,
  // handle
  bad_handle,
  stale_handle,
  wrong_context,
  label_context,  // the same, of a label
  model_context,  // the same, of a model
  // state
  not_initialized,
  already_initialized,
  no_context,
  not_ready,
  not_recorded,
  no_timestamp,
  not_captured,  // the stream records no graph
  not_bound,     // the stream belongs to no model, or to another one
  bound,         // the stream belongs to a model
  not_built,     // the model cannot run yet
  running,       // the model runs
  busy,
  forked,
  // resource
  no_memory,
  no_device,
  bad_device,
  no_stream,
  no_event,
  no_notify,
  no_group,
  no_model,
  limit,
  // operation
  not_supported,
  not_updatable,  // a task of another kind than those that can be changed
  no_permission,
  timeout,
  stream_timeout,
  event_timeout,
  not_found,
  io,
  parse,
  closed,
  peer_lost,
  link_down,           // between two devices: a fault
  stream_subscribed,   // the stream has a thread for functions of the host, or lacks one
  thread_subscribed,   // the thread serves others, or nobody
  no_report_thread,
  stream_aborted,
  device_aborted,
  abort_refused,  // by a callback of the program's
  // device
  device_lost,
  kernel_fault,
  internal,
};

std::string_view to_string(Errc code);

struct Error {
  Errc code = Errc::internal;
  int native = 0;
  std::source_location where;
};

template <class T = void>
using Result = tl::expected<T, Error>;

// The thread's error sentences, newest last. Bounded: only the newest 8 are kept.
namespace error_text {
void record(Errc code, int native, std::string sentence, const std::source_location& where);
std::string take_newest();  // removes and returns the newest sentence, "" when none
std::string newest();       // "" when none
void clear();
}  // namespace error_text

// A format string that remembers where it was written.
template <class... A>
struct FormatAt {
  fmt::format_string<A...> format;
  std::source_location where;
  template <class S>
  consteval FormatAt(const S& s, std::source_location w = std::source_location::current())
      : format(s), where(w) {}
};

// fail(Errc::no_memory, "device {}: {} bytes wanted, {} free", ...): the failure value, with its
// sentence recorded for this thread.
template <class... A>
[[gnu::cold]] tl::unexpected<Error> fail(Errc code, FormatAt<std::type_identity_t<A>...> text,
                                         A&&... args) {
  error_text::record(code, 0, fmt::format(text.format, std::forward<A>(args)...), text.where);
  return tl::unexpected<Error>(Error{code, 0, text.where});
}

// The same for a failed system call: adds the text of `err` (an errno value).
template <class... A>
[[gnu::cold]] tl::unexpected<Error> fail_errno(Errc code, int err,
                                               FormatAt<std::type_identity_t<A>...> text,
                                               A&&... args) {
  error_text::record(code, err, fmt::format(text.format, std::forward<A>(args)...), text.where);
  return tl::unexpected<Error>(Error{code, err, text.where});
}

}  // namespace canopy

// Returns from the enclosing function with the error of `expr`, if it failed.
#define CANOPY_TRY(expr)                                                    \
  do {                                                                      \
    if (auto canopy_try_ = (expr); !canopy_try_) [[unlikely]] {             \
      return ::tl::unexpected<::canopy::Error>(std::move(canopy_try_).error()); \
    }                                                                       \
  } while (0)

#define CANOPY_CONCAT_(a, b) a##b
#define CANOPY_CONCAT(a, b) CANOPY_CONCAT_(a, b)

// CANOPY_ASSIGN(auto x, expr): declares x with the value of a successful expr, else returns its error.
#define CANOPY_ASSIGN(decl, expr) \
  CANOPY_ASSIGN_(decl, expr, CANOPY_CONCAT(canopy_assign_, __LINE__))
#define CANOPY_ASSIGN_(decl, expr, tmp)                              \
  auto tmp = (expr);                                                 \
  if (!tmp) [[unlikely]] {                                           \
    return ::tl::unexpected<::canopy::Error>(std::move(tmp).error()); \
  }                                                                  \
  decl = std::move(*tmp)
