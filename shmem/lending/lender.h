// Lender: memory of this process that processes of other hosts may take on loan.
//
//   offer()         the export's number and secret; costs nothing else
//   first take      the memory is mapped and becomes a region of the network
//   export ends     nobody takes it any more; who has it keeps it
//   last give_back  (or the end of the borrower's line) after that: the region is withdrawn, the
//   memory let go
//
// So memory never goes while somebody may have an operation on it. Thread-safe; reply() and
// line_ended() come on the door's thread.
#pragma once

#include "runtime/base/mapping.h"
#include "runtime/base/result.h"
#include "runtime/driver/physical_memory.h"
#include "shmem/lending/loan.h"
#include "transport/base/transport.h"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

namespace canopy::shmem {

class Lender : public std::enable_shared_from_this<Lender> {
 public:
  // Regions get the lowest free ids from `first_region` on.
  Lender(transport::Transport& network, uint64_t job, int pe, transport::RegionId first_region)
      : job_(job), pe_(pe), first_region_(first_region), network_(&network) {}

  // May be taken until the result goes; `handle` learns its name.
  Result<std::shared_ptr<void>> offer(std::shared_ptr<PhysicalMemory> memory, FabricHandle& handle);
  std::string reply(uint64_t line, std::string_view question);
  void line_ended(uint64_t line);

  // The network is not used any more; what it has registered stays mapped as long as this object,
  // which goes after the network.
  void detach();

  // How many regions there are, for tests.
  size_t regions() const;

 private:
  struct Loan {
    LoanName name;
    std::shared_ptr<PhysicalMemory> memory;
    bool offered = true;
    Mapping mapping;  // empty: nobody has taken it
    transport::RegionId region = 0;
    std::string key;
    std::multiset<uint64_t> takers;  // lines
  };

  void end_offer(uint64_t number);
  Result<LoanAnswer> take(uint64_t line, const LoanName& name);
  Result<LoanAnswer> give_back(uint64_t line, const LoanName& name);
  Result<Loan*> find(const LoanName& name);
  Result<> make_region(Loan& loan);
  // Ends the loan if nobody can need it any more.
  void settle(std::map<uint64_t, Loan>::iterator at);

  const uint64_t job_;
  const int pe_;
  const transport::RegionId first_region_;
  mutable std::mutex mutex_;  // guards what follows
  transport::Transport* network_;
  uint64_t last_number_ = 0;
  std::map<uint64_t, Loan> loans_;
  std::set<transport::RegionId> regions_;  // in use
};

}  // namespace canopy::shmem
