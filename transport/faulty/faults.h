// Faults: what the contexts of one FaultyTransport share - the plan, who is lost, and which
// operation meets which fault.
//
// Thread-safe. The callback of on_error() is called without any lock of ours.
#pragma once

#include "runtime/base/doorbell.h"
#include "transport/base/transport.h"
#include "transport/faulty/fault_plan.h"

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace canopy::transport {

class Faults {
 public:
  // `salt` tells apart those that share a plan (the PE); `name` is for sentences.
  Faults(const FaultPlan& plan, int salt, std::string name);

  enum class Fate : uint8_t { fine, fails, drops };
  // What happens to the next operation. Does not return when the process is to be killed.
  Fate fate_of(const Target& at, const char* what);

  const FaultPlan& plan() const { return plan_; }
  const std::string& name() const { return name_; }
  // For a context of its own: its random numbers, drawn from the plan's.
  FaultRandom random_for_context();

  // The argument checks that the contract wants from every post. The table is written by connect()
  // only, when nobody posts; regions that come and go are in one of their own.
  void add_window(int peer, RegionId region, uint64_t bytes) { peers_[peer][region] = bytes; }
  void open(int peer, RegionId region, uint64_t bytes);
  void close(int peer, RegionId region);
  Result<> check(const Target& at, size_t nbytes, size_t alignment) const;
  Result<> check_peer(int peer) const;

  void on_error(std::function<void(int, Errc, std::string_view)> call);
  void lose(int peer, std::string_view why);
  std::string trouble(int peer) const;
  // How many peers are lost, and which.
  uint32_t losses() const { return losses_.load(std::memory_order_acquire); }  // see lose()
  std::vector<int> lost() const;

  // Called after something may have changed `peer`'s memory; may be empty. Written as peers_ is.
  std::function<void(int peer)> delivered;

  // For the pump: operations held by all contexts, how often somebody polled, and what wakes it.
  std::atomic<uint64_t> held{0};
  std::atomic<uint64_t> polls{0};
  Doorbell bell;

 private:
  // 0: there is none.
  uint64_t bytes_of(int peer, RegionId region) const;
  bool here() const { return plan_.only < 0 || plan_.only == salt_; }

  const FaultPlan plan_;
  const int salt_;
  const std::string name_;
  uint64_t fail_at_ = 0;
  uint64_t drop_at_ = 0;
  uint64_t kill_at_ = 0;
  std::map<int, std::map<RegionId, uint64_t>> peers_;  // bytes
  std::atomic<uint64_t> operations_{0};
  std::atomic<uint32_t> losses_{0};
  mutable std::mutex mutex_;  // guards the rest
  FaultRandom contexts_;
  std::map<int, std::string> lost_;
  std::map<std::pair<int, RegionId>, uint64_t> opened_;  // bytes
  std::function<void(int, Errc, std::string_view)> on_error_;
};

}  // namespace canopy::transport
