// rows.txt against the sources: every row has tests, every test that it names is there, and every
// code that the C boundary can return has a row.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace canopy::test {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = CANOPY_SOURCE_ROOT;

std::string read(const fs::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::set<std::string> tests_in(const std::string& source) {
  static const std::regex kTest(R"(\bTEST(?:_F|_P)?\(\s*(\w+)\s*,\s*(\w+)\s*\))");
  std::set<std::string> names;
  for (std::sregex_iterator it(source.begin(), source.end(), kTest), end; it != end; ++it) {
    names.insert((*it)[1].str() + "." + (*it)[2].str());
  }
  return names;
}

std::set<std::string> all_tests() {
  std::set<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(kRoot / "tests/unit")) {
    if (entry.path().extension() == ".cc") {
      names.merge(tests_in(read(entry.path())));
    }
  }
  return names;
}

// What is wrong with a table; empty when nothing is. `keys` gets those that it has.
std::vector<std::string> check(const std::string& table, const std::set<std::string>& tests,
                               std::set<std::string>* keys) {
  static const std::regex kRow(R"(([\w.-]+)(?:: *(.*)| - (.+)))");
  std::vector<std::string> wrong;
  std::istringstream lines(table);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line[0] == '#') {
      continue;
    }
    std::smatch row;
    if (!std::regex_match(line, row, kRow)) {
      wrong.push_back("no row: " + line);
      continue;
    }
    const std::string key = row[1];
    if (!keys->insert(key).second) {
      wrong.push_back(key + " is there twice");
    }
    std::istringstream names(row[2]);
    size_t count = 0;
    for (std::string name; names >> name; ++count) {
      if (!tests.contains(name)) {
        wrong.push_back(key + " names " + name + ", which is no test");
      }
    }
    if (count == 0 && !row[3].matched) {
      wrong.push_back(key + " has no test");
    }
  }
  return wrong;
}

std::set<std::string> codes_of_the_boundary() {
  // Those of issues with tables of their own.
  static const std::regex kElsewhere("CAPTUR|MODEL_UPDATE|AICPU_MODEL|TASK_GROUP|SNAPSHOT|IPC|PROF|DUMP|QUEUE|LINK");
  static const std::regex kCode(R"(\bACL_ERROR_\w+)");
  std::set<std::string> codes;
  for (const auto& entry : fs::directory_iterator(kRoot / "runtime/api")) {
    if (entry.path().extension() != ".cc") {
      continue;
    }
    const std::string source = read(entry.path());
    for (std::sregex_iterator it(source.begin(), source.end(), kCode), end; it != end; ++it) {
      if (const std::string code = it->str();
          !std::regex_search(code, kElsewhere)) {
        codes.insert(code);
      }
    }
  }
  return codes;
}

TEST(Rows, HaveTestsThatAreThere) {
  std::set<std::string> keys;
  const auto wrong = check(read(kRoot / "tests/unit/api/rows.txt"), all_tests(), &keys);
  EXPECT_TRUE(wrong.empty()) << testing::PrintToString(wrong);
  EXPECT_GT(keys.size(), 200u) << "the table has become short";
}

TEST(Rows, CoverEveryCodeThatTheBoundaryCanReturn) {
  std::set<std::string> keys;
  (void)check(read(kRoot / "tests/unit/api/rows.txt"), {}, &keys);
  for (const std::string& code : codes_of_the_boundary()) {
    EXPECT_TRUE(keys.contains("code." + code))
        << "rows.txt needs a row code." << code << " with a test that causes it";
  }
}

TEST(Rows, OfCodesComeWithAdvice) {
  const std::string advice = read(kRoot / "runtime/api/advice.cc");
  for (const std::string& code : codes_of_the_boundary()) {
    EXPECT_NE(advice.find("{" + code + ","), std::string::npos)
        << "runtime/api/advice.cc needs a likely cause of " << code << ", and what to do";
  }
}

TEST(Rows, ThatAreWrongAreFound) {
  const std::set<std::string> tests =
      tests_in("TEST_F(Suite,\n     Name) {}\nTEST(Other, One) {}\n");
  EXPECT_EQ(tests, (std::set<std::string>{"Other.One", "Suite.Name"}));
  const auto wrong_of = [&](const std::string& table) {
    std::set<std::string> keys;
    return check(table, tests, &keys).size();
  };
  EXPECT_EQ(wrong_of("# text\n\na.row: Suite.Name Other.One\ncode.X - nobody can\n"), 0u);
  EXPECT_EQ(wrong_of("a.row:\n"), 1u) << "no test";
  EXPECT_EQ(wrong_of("a.row: Suite.Another\n"), 1u) << "a test that is not there";
  EXPECT_EQ(wrong_of("a.row: Other.One\na.row: Other.One\n"), 1u) << "twice";
  EXPECT_EQ(wrong_of("just text\n"), 1u);
}

}  // namespace
}  // namespace canopy::test
