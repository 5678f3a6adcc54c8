// KernelRequests: operations on far PEs that blocks of kernels ask for.
//
// A block never enters a transport: it writes a request into its core's ring, and whoever makes
// progress posts it - a block or a host thread that waits, or the thread of this class, which
// sleeps while nothing was asked for without waiting. A full ring is back-pressure: the block gives
// its core away until there is room, and that is counted (Op::ring_full).
//
// What a call promises on return is what its host form promises. The rings' operations go through
// the transports' default contexts: once posted (see marks()), a quiet or fence of the host's covers
// them, and theirs the host's.
//
// Operations that fail end the job (World::far_failed). The operations: blocks of kernels. drain():
// any thread.
#pragma once

#include "runtime/base/doorbell.h"
#include "shmem/device/request_ring.h"
#include "transport/base/transport.h"

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace canopy::shmem {

class World;
class FarPaths;

class KernelRequests {
 public:
  KernelRequests(World& world, FarPaths& far);
  ~KernelRequests();

  // Source complete on return; `nbi`: at quiet.
  void put(const transport::Target& to, const void* source, uint64_t nbytes, bool nbi,
           const char* routine);
  // Operation complete on return; `nbi`: at quiet.
  void get(void* dest, const transport::Target& from, uint64_t nbytes, bool nbi,
           const char* routine);
  // Operation complete on return: the old value.
  uint64_t amo(const transport::Target& at, const transport::Amo& operation, const char* routine);
  void signal(const transport::Target& at, const transport::Signal& update, const char* routine);
  void fence(const char* routine);
  // Everything that was posted to anybody is remotely complete on return.
  void quiet(const char* routine);

  // Posts what there is. Does nothing while another thread does.
  void drain();

  // What blocks have asked for until now and is not posted yet, and whether it has been since.
  struct Mark {
    const RequestRing* ring;
    uint32_t count;
  };
  std::vector<Mark> marks();
  static bool posted(const std::vector<Mark>& marks);

 private:
  RequestRing& my_ring();
  Request& reserve(RequestRing& ring, const char* routine);
  // False: none is to be had now.
  bool has_thread();
  // Hands the entry over; somebody else has to post it when the block does not wait. Without a thread that would, it waits.
  void publish(RequestRing& ring);
  // Hands it over and waits until it is settled.
  void publish_and_wait(RequestRing& ring, const Request& request);
  void wait(const Request& request);
  Result<> post(Request& request);
  void drain_ring(RequestRing& ring);
  bool busy();
  void run(const std::stop_token& stop);

  World& world_;
  FarPaths& far_;
  const uint64_t id_;  // tells a thread that its cached ring is another World's
  const uint32_t entries_;
  std::mutex mutex_;  // guards rings_ and the start of the thread; each ring stays where it is
  std::map<uint64_t, std::unique_ptr<RequestRing>> rings_;  // by core
  std::atomic<uint32_t> n_rings_{0};                        // how many are in rings_
  std::mutex draining_;                // held by the one that drains; only tried
  std::vector<RequestRing*> drained_;  // guarded by draining_
  Doorbell bell_;
  bool told_of_no_thread_ = false;
  std::atomic<bool> started_{false};
  std::jthread thread_;  // last: it uses the rest
};

}  // namespace canopy::shmem
