#include "runtime/base/result.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>
#include <string>
#include <thread>

namespace canopy {
namespace {

Result<int> even_half(int value) {
  if (value % 2 != 0) {
    return fail(Errc::invalid_argument, "{} is odd", value);
  }
  return value / 2;
}

Result<int> quarter(int value) {
  CANOPY_ASSIGN(const int half, even_half(value));
  CANOPY_TRY(even_half(half));
  return half / 2;
}

TEST(Result, CarriesTheValueOfASuccess) {
  EXPECT_EQ(quarter(8).value(), 2);
}

TEST(Result, HandsAnErrorUpWithItsOrigin) {
  const auto failed = quarter(6);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Errc::invalid_argument);
  EXPECT_STREQ(failed.error().where.function_name(), even_half(1).error().where.function_name());
  error_text::clear();
}

TEST(Result, RecordsTheSentenceWithItsValues) {
  error_text::clear();
  ASSERT_FALSE(even_half(7));
  EXPECT_EQ(error_text::newest(), "7 is odd");
  error_text::clear();
}

TEST(Result, AddsTheTextOfErrnoToAFailedSystemCall) {
  error_text::clear();
  const Result<> failed = fail_errno(Errc::io, ENOENT, "cannot open '{}'", "x");
  EXPECT_EQ(failed.error().native, ENOENT);
  EXPECT_EQ(error_text::take_newest(), "cannot open 'x' (No such file or directory)");
}

TEST(ErrorText, TakesTheNewestFirstAndThenForgetsIt) {
  error_text::clear();
  ASSERT_FALSE(even_half(1));
  ASSERT_FALSE(even_half(3));
  EXPECT_EQ(error_text::take_newest(), "3 is odd");
  EXPECT_EQ(error_text::take_newest(), "1 is odd");
  EXPECT_EQ(error_text::take_newest(), "");
}

TEST(ErrorText, KeepsOnlyTheNewestEight) {
  error_text::clear();
  for (int i = 1; i < 2000; i += 2) {
    ASSERT_FALSE(even_half(i));
  }
  int kept = 0;
  while (!error_text::take_newest().empty()) {
    ++kept;
  }
  EXPECT_EQ(kept, 8);
}

TEST(ErrorText, BelongsToTheThreadThatFailed) {
  error_text::clear();
  ASSERT_FALSE(even_half(5));
  std::string elsewhere = "unset";
  std::thread([&] { elsewhere = error_text::newest(); }).join();
  EXPECT_EQ(elsewhere, "");
  EXPECT_EQ(error_text::take_newest(), "5 is odd");
}

TEST(Errc, EveryCodeHasItsOwnText) {
  std::set<std::string_view> texts;
  for (int code = 0; code <= static_cast<int>(Errc::internal); ++code) {
    const auto text = to_string(static_cast<Errc>(code));
    EXPECT_NE(text, "unknown error") << code;
    EXPECT_TRUE(texts.insert(text).second) << text;
  }
}

}  // namespace
}  // namespace canopy
