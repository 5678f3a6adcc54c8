#include "shmem/lending/lending.h"

#include "runtime/driver/driver.h"
#include "shmem/world/far_paths.h"
#include "shmem/world/world.h"

#include <mutex>

namespace canopy::shmem {
namespace {

// What the driver knows. One per process and never destroyed: the driver may be about to call it
// while a World ends.
class Slot final : public RemoteMemory {
 public:
  static Slot& of_process() {
    static Slot* slot = new Slot;
    return *slot;
  }

  Result<std::shared_ptr<void>> expose(std::shared_ptr<PhysicalMemory> memory,
                                       FabricHandle& handle) override {
    const auto lending = current();
    return lending != nullptr ? lending->expose(std::move(memory), handle)
                              : std::shared_ptr<void>();
  }
  Result<std::unique_ptr<RemoteRegion>> open(const FabricHandle& handle) override {
    const auto lending = current();
    if (lending == nullptr) {
      return fail(Errc::not_supported, "this process has just left its job (finalize)");
    }
    return lending->open(handle);
  }

  bool fill(std::shared_ptr<Lending> lending) {
    std::lock_guard lock(mutex_);
    if (lending_ != nullptr) {
      return false;
    }
    lending_ = std::move(lending);
    return true;
  }
  bool empty(const Lending* lending) {
    std::lock_guard lock(mutex_);
    if (lending_.get() != lending) {
      return false;
    }
    lending_ = nullptr;
    return true;
  }

 private:
  std::shared_ptr<Lending> current() {
    std::lock_guard lock(mutex_);
    return lending_;
  }
  std::mutex mutex_;  // guards lending_
  std::shared_ptr<Lending> lending_;
};

}  // namespace

void Lending::fill_slot(Driver& driver, std::shared_ptr<Lending> lending, uint32_t host_part) {
  if (Slot::of_process().fill(std::move(lending))) {
    driver.set_host_part(host_part);
    driver.set_remote_memory(&Slot::of_process());
  }
}

void Lending::empty_slot(Driver& driver, const Lending* lending) {
  if (Slot::of_process().empty(lending)) {
    driver.set_remote_memory(nullptr);
    driver.set_host_part(0);
  }
}

Lending::Lending(World& world, uint64_t job, transport::far::FarTransport& doors,
                 transport::Transport& network)
    : world_(world),
      job_(job),
      lender_(std::make_shared<Lender>(network, job, world.my_pe(), FarPaths::kFirstLent)),
      borrower_(std::make_shared<Borrower>(world, doors, network)) {
  doors.on_question(
      {.reply = [lender = lender_](
                    uint64_t line,
                    std::string_view question) { return lender->reply(line, question); },
       .line_ended = [lender = lender_](uint64_t line) { lender->line_ended(line); }});
}

Result<std::shared_ptr<void>> Lending::expose(std::shared_ptr<PhysicalMemory> memory,
                                              FabricHandle& handle) {
  return lender_ != nullptr ? lender_->offer(std::move(memory), handle) : std::shared_ptr<void>();
}

Result<std::unique_ptr<RemoteRegion>> Lending::open(const FabricHandle& handle) {
  const LoanName name = LoanName::of(handle);
  if (name.job != job_) {
    return fail(
        Errc::not_supported,
        "{:#x} is memory of another host that a process of another job exported (or of this "
        "one before it was initialised again): only PEs of one job reach each other",
        handle.id);
  }
  if (name.pe < 0 || name.pe >= world_.n_pes() || borrower_ == nullptr ||
      world_.plan().path(world_.my_pe(), name.pe) != Path::ofi) {
    return fail(Errc::invalid_argument,
                "{:#x} names PE {} of this job's {}, to which no way over the network leads",
                handle.id, name.pe, world_.n_pes());
  }
  return borrower_->borrow(name, handle.bytes);
}

void Lending::stop_borrowing() {
  if (borrower_ != nullptr) {
    borrower_->stop();
  }
}

void Lending::detach() {
  if (lender_ != nullptr) {
    lender_->detach();
  }
}

}  // namespace canopy::shmem
