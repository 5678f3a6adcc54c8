// What both sides of the network benchmarks can do: PE 0 works on PE 1's memory. `loop.cc`
// measures; ours (ofi_bench) goes through transport/far and the plugin, the peer (ofi_raw_bench)
// through libfabric alone, to the same level of completion.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace canopy::bench {

class NetworkSide {
 public:
  virtual ~NetworkSide() = default;
  virtual std::string_view name() const = 0;
  // This PE's memory, and what reaches it: told to the other PE, which connects to it.
  virtual std::string address() = 0;
  virtual void connect(const std::string& other) = 0;

  // PE 0. The source is reusable at quiet() or, for blocking ones, on return.
  virtual void put(uint64_t to, const void* src, size_t nbytes) = 0;
  virtual void post_put(uint64_t to, const void* src, size_t nbytes) = 0;
  virtual void quiet() = 0;  // everything has arrived
  virtual void get(void* dst, uint64_t from, size_t nbytes) = 0;
  // One atomic addition of 1; returns the old value.
  virtual uint64_t fetch_add(uint64_t at) = 0;
  // PE 1. Returns when the word at `offset` has that value.
  virtual void serve_until(uint64_t offset, uint64_t value) = 0;
};

// Both PEs have `bytes` of memory at `memory`, zeroed.
std::unique_ptr<NetworkSide> make_side(std::byte* memory, size_t bytes);

[[noreturn]] void give_up(const std::string& sentence);

}  // namespace canopy::bench
