#include "shmem/lending/borrower.h"

#include "runtime/base/log.h"
#include "runtime/driver/driver.h"
#include "shmem/sync/wait.h"
#include "shmem/world/world.h"

#include <vector>

namespace canopy::shmem {
namespace {

// How whoever needs a lender waits: as for any operation on a far PE.
struct LenderWait {
  World& world;
  int pe;
  void operator()(FunctionRef<bool()> ready) const {
    wait_posted(world, ready, pe, "memory of another host");
  }
};

Result<> left_the_job() {
  return fail(
      Errc::closed,
      "this process has left its job (finalize): nothing moves bytes to other hosts any more");
}

}  // namespace

// What the driver holds of a loan.
class Borrower::Region final : public RemoteRegion {
 public:
  Region(std::shared_ptr<Borrower> borrower, std::shared_ptr<Loan> loan)
      : borrower_(std::move(borrower)), loan_(std::move(loan)) {}
  ~Region() override { borrower_->give_back(loan_); }

  Result<> read(uint64_t offset, void* dst, uint64_t bytes) override {
    return borrower_->copy(*loan_, Direction::read, offset, static_cast<std::byte*>(dst), bytes);
  }
  Result<> write(uint64_t offset, const void* src, uint64_t bytes) override {
    auto* local = static_cast<std::byte*>(const_cast<void*>(src));  // only read
    return borrower_->copy(*loan_, Direction::write, offset, local, bytes);
  }

 private:
  const std::shared_ptr<Borrower> borrower_;
  const std::shared_ptr<Loan> loan_;
};

// ---- Taking and giving back.

Result<std::unique_ptr<RemoteRegion>> Borrower::borrow(const LoanName& name, uint64_t bytes) {
  const Gate::Pass pass = gate_.enter();
  if (!pass) {
    CANOPY_TRY(left_the_job());
  }
  std::lock_guard lock(mutex_);
  CANOPY_ASSIGN(std::shared_ptr<Loan> loan, take(name, bytes));
  return std::unique_ptr<RemoteRegion>(
      std::make_unique<Region>(shared_from_this(), std::move(loan)));
}

Result<std::shared_ptr<Borrower::Loan>> Borrower::take(const LoanName& name, uint64_t bytes) {
  CANOPY_ASSIGN(const LoanAnswer answer, ask(LoanVerb::take, name));
  std::shared_ptr<Loan>& known = loans_[{name.pe, name.number}];
  const auto accept = [&]() -> Result<> {
    if (answer.bytes != bytes) {
      return fail(Errc::invalid_argument, "the handle is of {} bytes, the memory of PE {} has {}",
                  bytes, name.pe, answer.bytes);
    }
    if (known != nullptr) {
      return {};  // its region is open
    }
    return open_region(
        network_, name.pe,
        {.id = answer.region, .bytes = bytes, .mapped_at = nullptr, .key = answer.text},
        LenderWait{world_, name.pe});
  };
  if (auto accepted = accept(); !accepted) {
    const std::string why = error_text::take_newest();
    if (known == nullptr) {
      loans_.erase({name.pe, name.number});
    }
    (void)ask(LoanVerb::give_back, name);
    return fail(accepted.error().code, "memory of PE {} on host {} cannot be reached: {}", name.pe,
                world_.card(name.pe).host.text(), why);
  }
  if (known == nullptr) {
    known = std::make_shared<Loan>();
    known->name = name;
    known->region = answer.region;
    known->bytes = bytes;
  }
  ++known->users;
  return known;
}

void Borrower::give_back(const std::shared_ptr<Loan>& loan) {
  const Gate::Pass pass = gate_.enter();
  std::lock_guard lock(mutex_);
  // Without a network the end of our line says it for us. Relaxed: read under the mutex that is
  // held where it is written.
  if (!pass || loan->lost.load(std::memory_order_relaxed)) {
    return;
  }
  const int pe = loan->name.pe;
  Result<> closed;
  if (--loan->users == 0) {
    loans_.erase({pe, loan->name.number});
    closed = close_region(network_, pe, loan->region, LenderWait{world_, pe});
  }
  if (!closed || !ask(LoanVerb::give_back, loan->name)) {
    log(LogLevel::info, "pe {}: memory of PE {} is not given back in order: {}", world_.my_pe(), pe,
        error_text::take_newest());
  }
}

Result<LoanAnswer> Borrower::ask(LoanVerb verb, const LoanName& name) {
  auto bytes = doors_.ask(name.pe, LoanQuestion{verb, 0, name}.pack());
  if (!bytes) {
    const std::string why = error_text::take_newest();
    lose_all_of(name.pe);
    return fail(bytes.error().code, "PE {} on host {} cannot be asked for its memory: {}", name.pe,
                world_.card(name.pe).host.text(), why);
  }
  CANOPY_ASSIGN(LoanAnswer answer, LoanAnswer::unpack(*bytes));
  if (answer.code != Errc::ok) {
    return fail(answer.code, "host {}: {}", world_.card(name.pe).host.text(), answer.text);
  }
  return answer;
}

void Borrower::lose_all_of(int pe) {
  for (auto at = loans_.begin(); at != loans_.end();) {
    const auto each = at++;
    if (each->first.first != pe) {
      continue;
    }
    each->second->lost.store(true,
                             std::memory_order_relaxed);  // a copy that begins just now fails later
    (void)close_region(network_, pe, each->second->region, LenderWait{world_, pe});
    loans_.erase(each);
  }
}

// ---- Copies.

Result<transport::Context*> Borrower::context() {
  if (transport::Context* made = context_.load(std::memory_order_acquire)) [[likely]] {
    return made;
  }
  std::lock_guard lock(mutex_);
  if (owned_context_ == nullptr) {
    CANOPY_ASSIGN(owned_context_, network_.open_context());
    context_.store(owned_context_.get(),
                   std::memory_order_release);  // pairs with the acquire above
  }
  return owned_context_.get();
}

Result<> Borrower::copy(const Loan& loan, Direction direction, uint64_t offset, std::byte* local,
                        uint64_t bytes) {
  const Gate::Pass pass = gate_.enter();
  if (!pass) {
    return left_the_job();
  }
  const int pe = loan.name.pe;
  Result<> moved;
  if (loan.lost.load(std::memory_order_relaxed)) {
    moved = fail(Errc::peer_lost, "the connection over which it was imported has ended");
  } else {
    moved = move(loan, direction, offset, local, bytes);
  }
  if (!moved) {
    const std::string why = error_text::take_newest();
    return fail(moved.error().code, "{} bytes {} memory of PE {} on host {} cannot be copied: {}",
                bytes, direction == Direction::read ? "from" : "to", pe, world_.card(pe).host.text(), why);
  }
  return {};
}

Result<> Borrower::move(const Loan& loan, Direction direction, uint64_t offset, std::byte* local,
                        uint64_t bytes) {
  const LenderWait wait{world_, loan.name.pe};
  const transport::Target at{loan.name.pe, loan.region, offset};
  CANOPY_ASSIGN(transport::Context * by, context());
  if (direction == Direction::read) {
    return transport::get(*by, local, at, bytes, wait);
  }
  // With a ticket, so that its failure is this copy's; the quiet says that it has arrived.
  CANOPY_TRY(transport::put(*by, at, local, bytes, wait));
  return transport::quiet(*by, loan.name.pe, wait);
}

void Borrower::stop() {
  // Executors that the end of the process has stopped leave nothing, and touch nothing either.
  const bool empty =
      gate_.close([] { return Driver::halted(); },
                  "finalize waits for copies of other hosts' memory that are under way");
  if (!empty) {
    (void)owned_context_.release();
    return;
  }
  std::lock_guard lock(mutex_);
  context_.store(nullptr, std::memory_order_relaxed);  // nobody comes to read it
  owned_context_.reset();
}

}  // namespace canopy::shmem
