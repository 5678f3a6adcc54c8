// Lending: how the driver's slot for memory of other hosts (runtime/driver/remote_memory.h) is
// filled by a World. Handles name the loan; borrower and lender settle it beside the traffic;
// copies are puts and gets. Thread-safe.
#pragma once

#include "runtime/base/result.h"
#include "runtime/driver/remote_memory.h"
#include "shmem/lending/borrower.h"
#include "shmem/lending/lender.h"

#include <cstdint>
#include <memory>

namespace canopy {
class Driver;
}

namespace canopy::shmem {

class World;

class Lending {
 public:
  // Of a job that does not leave its host: other hosts' handles get a sentence.
  Lending(World& world, uint64_t job) : world_(world), job_(job) {}
  // REQUIRES: nobody has been connected to `doors` yet.
  Lending(World& world, uint64_t job, transport::far::FarTransport& doors,
          transport::Transport& network);

  Result<std::shared_ptr<void>> expose(std::shared_ptr<PhysicalMemory> memory,
                                       FabricHandle& handle);
  Result<std::unique_ptr<RemoteRegion>> open(const FabricHandle& handle);

  // Makes it what the process's driver asks, if nothing else is; and takes it back.
  static void fill_slot(Driver& driver, std::shared_ptr<Lending> lending, uint32_t host_part);
  static void empty_slot(Driver& driver, const Lending* lending);

  // First, while the World is whole.
  void stop_borrowing();
  // Then, before the transports go. They go before this object: until then memory is registered with
  // them.
  void detach();

 private:
  World& world_;
  const uint64_t job_;
  std::shared_ptr<Lender> lender_;      // null: no way leaves the host
  std::shared_ptr<Borrower> borrower_;  // as lender_
};

}  // namespace canopy::shmem
