#include "runtime/base/printable.h"

#include <gtest/gtest.h>

namespace canopy {
namespace {

using namespace std::string_literals;

TEST(Printable, KeepsCharactersOfAllLengths) {
  for (const std::string& text : {""s, "a ~"s, "z\u00fcrich"s, "\u6f22\u5b57"s, "\U0001f600!"s, "\u00a0\ud7ff\ue000\U0010ffff"s}) {
    EXPECT_EQ(printable(text), text);
  }
}

TEST(Printable, ReplacesControlCharacters) {
  EXPECT_EQ(printable("\x1b[2J\n\t\x7f\0."s), "?[2J????.");
  EXPECT_EQ(printable("a\u0080\u009b\u009fb"), "a???b");
  EXPECT_EQ(printable("\u061c\u200e\u200f\u202a\u202e\u2066\u2069"), "???????");
  EXPECT_EQ(printable("\u200d\u2029\u202f\u2065\u206a\u061b"), "\u200d\u2029\u202f\u2065\u206a\u061b");
}

TEST(Printable, ReplacesEachByteOfNoCharacter) {
  EXPECT_EQ(printable("\xff\xfe"), "??");
  EXPECT_EQ(printable("a\x80z"), "a?z");                   // continues nothing
  EXPECT_EQ(printable("\xc3("), "?(");                     // does not go on
  EXPECT_EQ(printable("\xe6\xbc"), "??");                  // ends too early
  EXPECT_EQ(printable("\xe6\xbc\xc3\xbc"), "??\u00fc");    // the next one is whole
  EXPECT_EQ(printable("\xc0\xaf\xe0\x80\xaf"), "?????");   // longer than needed
  EXPECT_EQ(printable("\xed\xa0\x80"), "???");             // half of a pair
  EXPECT_EQ(printable("\xf4\x90\x80\x80\xf5"), "?????");   // past the last
}

TEST(Printable, ACutIsBetweenCharacters) {
  EXPECT_EQ(whole_characters("abc", 3), 3u);
  EXPECT_EQ(whole_characters("abcd", 3), 3u);
  EXPECT_EQ(whole_characters("a\u00fcb", 2), 1u);
  EXPECT_EQ(whole_characters("a\u00fcb", 3), 3u);
  EXPECT_EQ(whole_characters("\U0001f600", 3), 0u);
  EXPECT_EQ(whole_characters("abc\U0001f600", 4), 3u);
  EXPECT_EQ(whole_characters("\x80\x80\x80\x80\x80\x80", 5), 5u) << "no character is that long";
  EXPECT_EQ(whole_characters("\xc3\xbc", 0), 0u);
}

}  // namespace
}  // namespace canopy
