// Borrower: memory of processes on other hosts that this one has on loan. The lender is asked at
// each import, because it may have let go meanwhile; the region is opened once. Copies go through a
// context of their own, so that they wait for nothing else and no quiet of the program's waits for
// them.
//
// Thread-safe. One mutex is held while a lender is asked; copies do not take it.
#pragma once

#include "runtime/base/result.h"
#include "runtime/driver/remote_memory.h"
#include "shmem/lending/gate.h"
#include "shmem/lending/loan.h"
#include "transport/base/blocking.h"
#include "transport/far/far_transport.h"

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace canopy::shmem {

class World;

class Borrower : public std::enable_shared_from_this<Borrower> {
 public:
  // `doors` is what is asked; `network` moves the bytes, and may be the same with faults in front.
  Borrower(World& world, transport::far::FarTransport& doors, transport::Transport& network)
      : world_(world), doors_(doors), network_(network) {}

  // Errors: peer_lost; what the lender says; invalid_argument: it has not `bytes` bytes.
  Result<std::unique_ptr<RemoteRegion>> borrow(const LoanName& name, uint64_t bytes);
  // Copies that run end, later ones fail. To be called before World and transports go.
  void stop();

 private:
  struct Loan {
    LoanName name;
    transport::RegionId region = 0;
    uint64_t bytes = 0;
    uint32_t users = 0;             // guarded by mutex_
    std::atomic<bool> lost{false};  // the line over which it was taken has ended
  };
  class Region;
  enum class Direction : uint8_t { read, write };

  Result<std::shared_ptr<Loan>> take(const LoanName& name, uint64_t bytes);
  void give_back(const std::shared_ptr<Loan>& loan);
  Result<LoanAnswer> ask(LoanVerb verb, const LoanName& name);
  // What was taken over a line that has ended is not ours any more.
  void lose_all_of(int pe);
  Result<transport::Context*> context();
  Result<> copy(const Loan& loan, Direction direction, uint64_t offset, std::byte* local,
                uint64_t bytes);
  Result<> move(const Loan& loan, Direction direction, uint64_t offset, std::byte* local,
                uint64_t bytes);

  World& world_;
  transport::far::FarTransport& doors_;
  transport::Transport& network_;
  Gate gate_;
  std::mutex mutex_;                                                 // guards what follows
  std::map<std::pair<int, uint64_t>, std::shared_ptr<Loan>> loans_;  // by PE and number
  std::unique_ptr<transport::Context> owned_context_;
  std::atomic<transport::Context*> context_{nullptr};  // release after it is whole
};

}  // namespace canopy::shmem
