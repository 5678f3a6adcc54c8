#include "shmem/lending/loan.h"

#include <cstring>

namespace canopy::shmem {
namespace {

struct AnswerHead {
  uint32_t code;
  uint32_t region;
  uint64_t bytes;
};
static_assert(sizeof(AnswerHead) == 16);

}  // namespace

void LoanName::write_to(FabricHandle& handle) const {
  handle.where = {};
  std::memcpy(handle.where.data(), this, sizeof *this);
}

LoanName LoanName::of(const FabricHandle& handle) {
  LoanName name;
  std::memcpy(&name, handle.where.data(), sizeof name);
  return name;
}

std::string LoanQuestion::pack() const {
  return std::string(reinterpret_cast<const char*>(this), sizeof *this);
}

Result<LoanQuestion> LoanQuestion::unpack(std::string_view bytes) {
  LoanQuestion question;
  if (bytes.size() != sizeof question) {
    return fail(Errc::parse, "a question about a loan has {} bytes, not {}", bytes.size(),
                sizeof question);
  }
  std::memcpy(static_cast<void*>(&question), bytes.data(), sizeof question);
  if (question.padding != 0) {
    return fail(Errc::parse, "a question about a loan in another format");
  }
  return question;
}

std::string LoanAnswer::pack() const {
  const AnswerHead head{static_cast<uint32_t>(code), region, bytes};
  return std::string(reinterpret_cast<const char*>(&head), sizeof head) + text;
}

Result<LoanAnswer> LoanAnswer::unpack(std::string_view bytes) {
  AnswerHead head;
  if (bytes.size() < sizeof head) {
    return fail(Errc::parse, "an answer about a loan has {} bytes, at least {} are needed",
                bytes.size(), sizeof head);
  }
  std::memcpy(&head, bytes.data(), sizeof head);
  return LoanAnswer{static_cast<Errc>(head.code), head.region, head.bytes,
                    std::string(bytes.substr(sizeof head))};
}

}  // namespace canopy::shmem
