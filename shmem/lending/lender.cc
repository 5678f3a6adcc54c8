#include "shmem/lending/lender.h"

#include "runtime/base/log.h"
#include "runtime/base/random_id.h"

namespace canopy::shmem {

Result<std::shared_ptr<void>> Lender::offer(std::shared_ptr<PhysicalMemory> memory,
                                            FabricHandle& handle) {
  std::lock_guard lock(mutex_);
  if (network_ == nullptr) {
    return std::shared_ptr<void>();  // the job has ended: it is for this host alone
  }
  Loan loan;
  loan.name = {job_, pe_, 0, ++last_number_, {random_id(), random_id()}};
  loan.memory = std::move(memory);
  loan.name.write_to(handle);
  const uint64_t number = loan.name.number;
  loans_.emplace(number, std::move(loan));
  return std::shared_ptr<void>(nullptr, [lender = weak_from_this(), number](void*) {
    if (const auto alive = lender.lock()) {
      alive->end_offer(number);
    }
  });
}

void Lender::end_offer(uint64_t number) {
  std::lock_guard lock(mutex_);
  if (const auto found = loans_.find(number); found != loans_.end()) {
    found->second.offered = false;
    settle(found);
  }
}

std::string Lender::reply(uint64_t line, std::string_view bytes) {
  std::lock_guard lock(mutex_);
  auto answer = LoanQuestion::unpack(bytes).and_then([&](const LoanQuestion& question) {
    switch (question.verb) {
      case LoanVerb::take:
        return take(line, question.name);
      case LoanVerb::give_back:
        return give_back(line, question.name);
    }
    return Result<LoanAnswer>(fail(Errc::parse, "a question of kind {} about a loan",
                                   static_cast<uint32_t>(question.verb)));
  });
  if (!answer) {
    return LoanAnswer{answer.error().code, 0, 0, error_text::take_newest()}.pack();
  }
  return answer->pack();
}

Result<Lender::Loan*> Lender::find(const LoanName& name) {
  const auto found = loans_.find(name.number);
  if (network_ == nullptr || found == loans_.end() || found->second.name != name) {
    return fail(Errc::stale_handle, "PE {} does not, or does not any longer, share that memory",
                pe_);
  }
  return &found->second;
}

Result<LoanAnswer> Lender::take(uint64_t line, const LoanName& name) {
  CANOPY_ASSIGN(Loan * loan, find(name));
  if (!loan->offered) {
    return fail(Errc::stale_handle, "PE {} has freed that memory", pe_);
  }
  if (!loan->mapping) {
    CANOPY_TRY(make_region(*loan));
  }
  loan->takers.insert(line);
  return LoanAnswer{Errc::ok, loan->region, loan->memory->bytes(), loan->key};
}

Result<> Lender::make_region(Loan& loan) {
  transport::RegionId id = first_region_;
  for (auto used = regions_.begin(); used != regions_.end() && *used == id; ++used) {
    ++id;
  }
  CANOPY_ASSIGN(Mapping mapping, Mapping::shared(loan.memory->fd(), loan.memory->bytes()));
  CANOPY_ASSIGN(loan.key, network_->offer_region(id, {mapping.base(), loan.memory->bytes()}));
  loan.mapping = std::move(mapping);
  loan.region = id;
  regions_.insert(id);
  return {};
}

Result<LoanAnswer> Lender::give_back(uint64_t line, const LoanName& name) {
  CANOPY_ASSIGN(Loan * loan, find(name));
  const auto taken = loan->takers.find(line);
  if (taken == loan->takers.end()) {
    return fail(Errc::invalid_argument, "who gives memory of PE {} back has not taken it", pe_);
  }
  loan->takers.erase(taken);
  settle(loans_.find(name.number));
  return LoanAnswer{};
}

void Lender::line_ended(uint64_t line) {
  std::lock_guard lock(mutex_);
  for (auto at = loans_.begin(); at != loans_.end();) {
    const auto loan = at++;
    if (loan->second.takers.erase(line) != 0) {
      log(LogLevel::info, "pe {}: a borrower of memory {} is gone", pe_, loan->first);
      settle(loan);
    }
  }
}

void Lender::settle(std::map<uint64_t, Loan>::iterator at) {
  Loan& loan = at->second;
  if (network_ == nullptr || loan.offered || !loan.takers.empty()) {
    return;
  }
  if (loan.mapping) {
    if (!network_->withdraw_region(loan.region)) {
      log(LogLevel::error, "pe {}: memory {} of other hosts' use cannot be withdrawn: {}", pe_,
          at->first, error_text::take_newest());
    }
    regions_.erase(loan.region);
  }
  loans_.erase(at);
}

void Lender::detach() {
  std::lock_guard lock(mutex_);
  network_ = nullptr;
}

size_t Lender::regions() const {
  std::lock_guard lock(mutex_);
  return regions_.size();
}

}  // namespace canopy::shmem
