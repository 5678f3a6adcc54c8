/* Variables of the device: what aclrtGetSymbolAddress and the copies to and from symbols find.
 *
 *     __gm__ int table[16];   // used by kernels by its name
 *     CANOPY_SYMBOL(table)
 *
 * A kernel is an ordinary function here, so its variable is an ordinary one, at one address for the
 * host and all devices of the process. The record goes with the module that made it. C++ only.
 */
#ifndef CANOPY_SYMBOL_H
#define CANOPY_SYMBOL_H

#ifndef __cplusplus
#error "symbols of the device are C++: include canopy/symbol.h from C++"
#endif

#include <cstddef>

#include "acl/acl_rt.h"

extern "C" {

/* Any thread. A second record of an address replaces the first. */
void canopy_register_symbol(const void* symbol, size_t bytes);
void canopy_unregister_symbol(const void* symbol);

}  // extern "C"

namespace canopy::detail {

class SymbolRegistration {
 public:
  SymbolRegistration(const void* symbol, size_t bytes) : symbol_(symbol) {
    canopy_register_symbol(symbol, bytes);
  }
  ~SymbolRegistration() { canopy_unregister_symbol(symbol_); }
  SymbolRegistration(const SymbolRegistration&) = delete;
  SymbolRegistration& operator=(const SymbolRegistration&) = delete;

 private:
  const void* symbol_;
};

}  // namespace canopy::detail

#define CANOPY_SYMBOL(variable)                                                          \
  namespace {                                                                            \
  const ::canopy::detail::SymbolRegistration canopy_symbol_##variable(&variable,         \
                                                                      sizeof(variable)); \
  }

#endif /* CANOPY_SYMBOL_H */
