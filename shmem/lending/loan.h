// What lender and borrower say: the name of a loan, which a FABRIC handle carries to other hosts,
// and the questions about it, which go from the borrower to the lender's door (transport/far). One
// architecture per job: plain structs in the machine's byte order.
//
//   take       I want to read and write it        -> its region, its size and its key
//   give_back  I have no operation on it any more -> that is all
#pragma once

#include "runtime/base/result.h"
#include "runtime/driver/fabric_handle.h"
#include "transport/base/transport.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace canopy::shmem {

struct LoanName {
  uint64_t job = 0;  // of the lender
  int32_t pe = -1;
  uint32_t padding = 0;
  uint64_t number = 0;  // among the lender's
  // Who has not been told it does not get the memory, and a number that is used again is no loan
  // again.
  std::array<uint64_t, 2> secret{};

  void write_to(FabricHandle& handle) const;
  static LoanName of(const FabricHandle& handle);
  bool operator==(const LoanName&) const = default;
};
static_assert(sizeof(LoanName) == 40 && sizeof(LoanName) <= FabricHandle::kWhereBytes &&
              std::is_trivially_copyable_v<LoanName>);

enum class LoanVerb : uint32_t { take = 1, give_back };

struct LoanQuestion {
  LoanVerb verb = LoanVerb::take;
  uint32_t padding = 0;
  LoanName name;

  std::string pack() const;
  static Result<LoanQuestion> unpack(std::string_view bytes);
};

struct LoanAnswer {
  Errc code = Errc::ok;
  transport::RegionId region = 0;
  uint64_t bytes = 0;
  std::string text;  // the region's key; when it is refused: why

  std::string pack() const;
  static Result<LoanAnswer> unpack(std::string_view bytes);
};

}  // namespace canopy::shmem
