// Who may have memory on loan, until when, and what is left afterwards.
#include "shmem/lending/lender.h"

#include "runtime/base/check.h"
#include "runtime/driver/host_table.h"
#include "transport/self/self_transport.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <random>

namespace canopy::shmem {
namespace {

constexpr uint64_t kJob = 4711;
constexpr transport::RegionId kFirst = 8;

class LenderTest : public testing::Test {
 protected:
  LenderTest() {
    ::setenv("CANOPY_HOST_TABLE", path_.c_str(), 1);
    table_ = HostTable::open().value();
  }
  ~LenderTest() override {
    lender_.reset();  // its memory is counted in the table
    table_.reset();
    std::filesystem::remove(path_);
    ::unsetenv("CANOPY_HOST_TABLE");
  }

  // What an export is to others; ends with the Offer.
  struct Offer {
    std::weak_ptr<PhysicalMemory> memory;  // alive while somebody needs it
    std::shared_ptr<void> kept;
    LoanName name;
  };
  Offer offer(uint64_t bytes = kGranule) {
    auto memory = std::make_shared<PhysicalMemory>(
        PhysicalMemory::allocate(*table_, kHostMemory, bytes, bytes).value());
    FabricHandle handle;
    Offer made{memory, nullptr, {}};
    made.kept = lender_->offer(std::move(memory), handle).value();
    made.name = LoanName::of(handle);
    return made;
  }
  LoanAnswer ask(uint64_t line, LoanVerb verb, const LoanName& name) {
    return LoanAnswer::unpack(lender_->reply(line, LoanQuestion{verb, 0, name}.pack())).value();
  }
  LoanAnswer take(uint64_t line, const Offer& offer) {
    return ask(line, LoanVerb::take, offer.name);
  }
  LoanAnswer give_back(uint64_t line, const Offer& offer) {
    return ask(line, LoanVerb::give_back, offer.name);
  }

  const std::string path_ = fmt::format("/dev/shm/canopy-test-lender-{}", ::getpid());
  std::unique_ptr<HostTable> table_;
  transport::SelfTransport network_;
  std::shared_ptr<Lender> lender_ = std::make_shared<Lender>(network_, kJob, 3, kFirst);
};

TEST_F(LenderTest, AnOfferCostsNothingUntilSomebodyTakesIt) {
  Offer offered = offer();
  EXPECT_EQ(lender_->regions(), 0u);
  EXPECT_EQ(offered.name.job, kJob);
  EXPECT_EQ(offered.name.pe, 3);
  const LoanAnswer answer = take(1, offered);
  EXPECT_EQ(answer.code, Errc::ok) << answer.text;
  EXPECT_EQ(answer.bytes, kGranule);
  EXPECT_EQ(answer.region, kFirst);
  EXPECT_EQ(lender_->regions(), 1u);
}

TEST_F(LenderTest, MemoryOnLoanOutlivesItsExport) {
  Offer offered = offer();
  ASSERT_EQ(take(1, offered).code, Errc::ok);
  ASSERT_EQ(take(2, offered).code, Errc::ok);
  offered.kept.reset();
  EXPECT_FALSE(offered.memory.expired());
  EXPECT_EQ(take(3, offered).code, Errc::stale_handle);
  EXPECT_NE(take(3, offered).text.find("PE 3 has freed"), std::string::npos);
  EXPECT_EQ(give_back(1, offered).code, Errc::ok);
  EXPECT_FALSE(offered.memory.expired());
  EXPECT_EQ(give_back(2, offered).code, Errc::ok);
  EXPECT_TRUE(offered.memory.expired());
  EXPECT_EQ(lender_->regions(), 0u);
}

TEST_F(LenderTest, AnExportThatNobodyHasGoesAtOnce) {
  Offer offered = offer();
  ASSERT_EQ(take(1, offered).code, Errc::ok);
  ASSERT_EQ(give_back(1, offered).code, Errc::ok);
  EXPECT_FALSE(offered.memory.expired());
  offered.kept.reset();
  EXPECT_TRUE(offered.memory.expired());
  EXPECT_EQ(lender_->regions(), 0u);
}

TEST_F(LenderTest, ABorrowerThatIsGoneHasGivenAllBack) {
  Offer one = offer();
  Offer other = offer();
  for (const Offer* each : {&one, &other, &one}) {
    ASSERT_EQ(take(1, *each).code, Errc::ok);
  }
  ASSERT_EQ(take(2, other).code, Errc::ok);
  one.kept.reset();
  other.kept.reset();
  lender_->line_ended(1);
  EXPECT_TRUE(one.memory.expired());
  EXPECT_FALSE(other.memory.expired());
  lender_->line_ended(2);
  EXPECT_TRUE(other.memory.expired());
}

TEST_F(LenderTest, RegionIdsAreUsedAgain) {
  Offer kept = offer();
  ASSERT_EQ(take(1, kept).region, kFirst);
  for (int round = 0; round < 1000; ++round) {
    Offer offered = offer();
    ASSERT_EQ(take(1, offered).region, kFirst + 1);
    offered.kept.reset();
    ASSERT_EQ(give_back(1, offered).code, Errc::ok);
  }
}

TEST_F(LenderTest, OnlyWhoKnowsTheNameAndHasTakenItIsServed) {
  Offer offered = offer();
  LoanName wrong = offered.name;
  wrong.secret[1] ^= 1;
  EXPECT_EQ(ask(1, LoanVerb::take, wrong).code, Errc::stale_handle);
  wrong = offered.name;
  ++wrong.number;
  EXPECT_EQ(ask(1, LoanVerb::take, wrong).code, Errc::stale_handle);
  EXPECT_EQ(give_back(1, offered).code, Errc::invalid_argument);
  ASSERT_EQ(take(1, offered).code, Errc::ok);
  EXPECT_EQ(give_back(2, offered).code, Errc::invalid_argument);
  EXPECT_EQ(ask(1, static_cast<LoanVerb>(9), offered.name).code, Errc::parse);
  EXPECT_EQ(lender_->regions(), 1u);
}

TEST_F(LenderTest, AnythingMayBeAsked) {
  Offer offered = offer();
  std::mt19937 random(7);
  const std::string right = LoanQuestion{LoanVerb::take, 0, offered.name}.pack();
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = right.substr(0, i % 3 == 0 ? random() % right.size() : right.size());
    if (!bytes.empty()) {
      bytes[random() % bytes.size()] ^= static_cast<char>(1 + random() % 255);
    }
    EXPECT_NE(LoanAnswer::unpack(lender_->reply(1, bytes)).value().code, Errc::ok);
  }
  EXPECT_EQ(lender_->regions(), 0u);
}

TEST_F(LenderTest, AfterItsNetworkNobodyIsServedAndNothingIsOffered) {
  Offer offered = offer();
  ASSERT_EQ(take(1, offered).code, Errc::ok);
  lender_->detach();
  EXPECT_EQ(take(2, offered).code, Errc::stale_handle);
  FabricHandle handle;
  EXPECT_EQ(lender_->offer(nullptr, handle).value(), nullptr);
  EXPECT_EQ(handle.where, FabricHandle{}.where);
  offered.kept.reset();
  EXPECT_FALSE(offered.memory.expired()) << "the network may still have it registered";
  lender_.reset();
  EXPECT_TRUE(offered.memory.expired());
}

}  // namespace
}  // namespace canopy::shmem
