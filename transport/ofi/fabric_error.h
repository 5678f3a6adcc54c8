// fail_fi(): a failed libfabric call as an Error, with libfabric's own text for the number.
#pragma once

#include "runtime/base/result.h"

#include <rdma/fi_errno.h>

#include <string>

namespace canopy::transport::ofi {

// What a libfabric error number means to a user of a transport.
inline Errc errc_of(int fi_errno) {
  switch (fi_errno) {
    case FI_EAGAIN:
      return Errc::again;
    case FI_ENOMEM:
      return Errc::no_memory;
    case FI_EACCES:
    case FI_EPERM:
      return Errc::no_permission;
    case FI_ENODATA:
    case FI_ENOSYS:
    case FI_EOPNOTSUPP:
      return Errc::not_supported;
    case FI_ECONNREFUSED:
    case FI_ECONNRESET:
    case FI_ECONNABORTED:
    case FI_ENOTCONN:
    case FI_ESHUTDOWN:
    case FI_EHOSTUNREACH:
    case FI_EHOSTDOWN:
    case FI_ENETUNREACH:
    case FI_ETIMEDOUT:
      return Errc::peer_lost;
    default:
      return Errc::io;
  }
}

// `result` is what the call returned: a negative FI_ number.
template <class... A>
[[gnu::cold]] tl::unexpected<Error> fail_fi(long result, FormatAt<std::type_identity_t<A>...> text,
                                            A&&... args) {
  const int number = static_cast<int>(-result);
  const Errc code = errc_of(number);
  error_text::record(
      code, 0,
      fmt::format("{}: {} (libfabric error {})", fmt::format(text.format, std::forward<A>(args)...),
                  fi_strerror(number), number),
      text.where);
  return tl::unexpected<Error>(Error{code, number, text.where});
}

}  // namespace canopy::transport::ofi
