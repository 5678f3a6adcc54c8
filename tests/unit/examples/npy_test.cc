#include "examples/allgather_matmul/matrix_source.h"
#include "examples/allgather_matmul/npy_header.h"
#include "examples/allgather_matmul/npy_writer.h"

#include <gtest/gtest.h>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>
#include <vector>

namespace agmm {
namespace {

std::string temporary_path(const std::string& name) {
  return testing::TempDir() + fmt::format("agmm_{}_{}.npy", getpid(), name);
}

// A .npy file of any version around a header text and data.
std::string file_bytes(int version, const std::string& text, const std::string& data) {
  std::string bytes = "\x93NUMPY";
  bytes.push_back(static_cast<char>(version));
  bytes.push_back(0);
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i) {
    bytes.push_back(static_cast<char>(text.size() >> (8 * i)));
  }
  return bytes + text + data;
}

std::string dict(const std::string& descr, const std::string& fortran, const std::string& shape) {
  return "{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }\n";
}

std::string floats(std::vector<float> values, bool swap) {
  std::string bytes;
  for (float value : values) {
    uint32_t bits = 0;
    std::memcpy(&bits, &value, 4);
    bits = swap ? __builtin_bswap32(bits) : bits;
    bytes.append(reinterpret_cast<const char*>(&bits), 4);
  }
  return bytes;
}

Fallible<NpyHeader> parse(const std::string& bytes) {
  return parse_npy_header({reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()},
                          bytes.size(), "A.npy");
}

std::string sentence(const std::string& bytes) {
  auto header = parse(bytes);
  return header ? "accepted" : header.error();
}

std::vector<float> all_elements(const MatrixSource& source) {
  std::vector<float> all(source.rows() * source.cols());
  for (uint64_t row = 0; row < source.rows(); ++row) {
    source.read_row(row, 0, std::span(all).subspan(row * source.cols(), source.cols()));
  }
  return all;
}

TEST(NpyHeader, ReadsVersionsOneToThree) {
  for (int version : {1, 2, 3}) {
    auto header = parse(file_bytes(version, dict("<f4", "False", "(2, 3)"), std::string(24, 'x')));
    ASSERT_TRUE(header) << header.error();
    EXPECT_EQ(header->rows, 2u);
    EXPECT_EQ(header->cols, 3u);
    EXPECT_FALSE(header->fortran_order);
    EXPECT_FALSE(header->big_endian);
  }
}

TEST(NpyHeader, ReadsWhatItWrites) {
  for (auto [rows, cols] :
       {std::pair<uint64_t, uint64_t>{1, 1}, {1797, 64}, {1u << 31, 1u << 20}}) {
    const std::string text = make_npy_header(rows, cols);
    EXPECT_EQ(text.size() % 64, 0u);
    auto header =
        parse_npy_header({reinterpret_cast<const unsigned char*>(text.data()), text.size()},
                         text.size() + rows * cols * 4, "C.npy");
    ASSERT_TRUE(header) << header.error();
    EXPECT_EQ(header->rows, rows);
    EXPECT_EQ(header->cols, cols);
    EXPECT_EQ(header->data_offset, text.size());
  }
}

TEST(NpyHeader, MalformedFilesGiveASentenceThatNamesTheFile) {
  const std::string good = file_bytes(1, dict("<f4", "False", "(2, 3)"), std::string(24, 'x'));
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "no .npy file"},
      {"hello world, this is text", "no .npy file"},
      {good.substr(0, 9), "truncated after 9 bytes"},
      {good.substr(0, 30), "truncated, its header needs"},
      {good.substr(0, good.size() - 1), "needs 24 bytes of data and 23 are there"},
      {good + "x", "1 bytes follow"},
      {file_bytes(4, dict("<f4", "False", "(2, 3)"), ""), "version 4.0 is unknown"},
      {file_bytes(1, dict("<f8", "False", "(2, 3)"), ""), "'<f8', only fp32"},
      {file_bytes(1, dict("<i4", "False", "(2, 3)"), ""), "'<i4', only fp32"},
      {file_bytes(1, dict("<f4", "False", "(6,)"), ""), "1 dimension(s)"},
      {file_bytes(1, dict("<f4", "False", "()"), ""), "0 dimension(s)"},
      {file_bytes(1, dict("<f4", "False", "(1, 2, 3)"), ""), "3 dimension(s)"},
      {file_bytes(1, dict("<f4", "False", "(0, 3)"), ""), "is empty (0 x 3)"},
      {file_bytes(1, dict("<f4", "False", "(3, 0)"), ""), "is empty (3 x 0)"},
      {file_bytes(1, dict("<f4", "False", "(-1, 3)"), ""), "not a tuple of non-negative"},
      {file_bytes(1, dict("<f4", "False", "(2, 3"), ""), "shape"},
      {file_bytes(1, dict("<f4", "Maybe", "(2, 3)"), ""), "neither True nor False"},
      {file_bytes(1, dict("<f4", "False", "(4294967296, 4294967296)"), ""), "overflows"},
      {file_bytes(1, dict("<f4", "False", "(4294967296, 1073741824)"), ""), "overflows"},
      {file_bytes(1, dict("<f4", "False", "(99999999999999999999, 1)"), ""), "does not fit"},
      {file_bytes(1, "{'descr': [('x', '<f4')], }", ""), "records"},
      {file_bytes(1, "{'descr': '<f4', }", ""), "lacks"},
      {file_bytes(1, "{'colour': '<f4', }", ""), "unknown key 'colour'"},
      {file_bytes(1, "no dictionary", ""), "not a dictionary"},
      {file_bytes(1, dict("<f4", "False", "(2, 3)") + "more", ""), "goes on after"},
  };
  for (const auto& [bytes, expected] : cases) {
    const std::string said = sentence(bytes);
    EXPECT_EQ(said.rfind("A.npy: ", 0), 0u) << said;
    EXPECT_NE(said.find(expected), said.npos) << said << " should contain " << expected;
  }
}

TEST(NpyHeader, EveryTruncationOfAGoodFileIsRefused) {
  const std::string good = file_bytes(1, dict("<f4", "False", "(2, 3)"), std::string(24, 'x'));
  for (size_t length = 0; length < good.size(); ++length) {
    EXPECT_FALSE(parse(good.substr(0, length))) << length;
  }
}

TEST(NpyMatrix, ReadsBothByteOrdersAndBothStorageOrders) {
  const std::vector<float> rows_first = {1, 2, 3, 4, 5, 6};
  const std::vector<float> cols_first = {1, 4, 2, 5, 3, 6};
  for (bool big : {false, true}) {
    for (bool fortran : {false, true}) {
      const std::string path = temporary_path("orders");
      std::ofstream(path) << file_bytes(
          1, dict(big ? ">f4" : "<f4", fortran ? "True" : "False", "(2, 3)"),
          floats(fortran ? cols_first : rows_first, big));
      auto source = open_npy(path);
      ASSERT_TRUE(source) << source.error();
      EXPECT_EQ(all_elements(**source), rows_first) << "big " << big << " fortran " << fortran;
      EXPECT_EQ(all_elements(*transpose(std::move(*source))), cols_first);
      std::filesystem::remove(path);
    }
  }
}

TEST(NpyMatrix, AMissingFileIsASentence) {
  auto source = open_npy("/nonexistent/A.npy");
  ASSERT_FALSE(source);
  EXPECT_EQ(source.error(), "/nonexistent/A.npy: cannot be opened: No such file or directory");
}

TEST(NpyMatrix, ADirectoryIsASentence) {
  auto source = open_npy("/");
  ASSERT_FALSE(source);
  EXPECT_EQ(source.error(), "/: is not a regular file");
}

TEST(NpyMatrix, APipeIsASentenceAndNoWait) {
  const std::string path = temporary_path("input_pipe");
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  auto source = open_npy(path);
  ASSERT_FALSE(source);
  EXPECT_EQ(source.error(), path + ": is not a regular file");
  std::filesystem::remove(path);
}

TEST(NpyWriter, WritesWhatTheReaderReads) {
  const std::string path = temporary_path("written");
  auto writer = NpyWriter::create(path, 2, 3);
  ASSERT_TRUE(writer) << writer.error();
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  ASSERT_TRUE(writer->append(std::span(values).first(4)));
  ASSERT_TRUE(writer->append(std::span(values).last(2)));
  EXPECT_FALSE(std::filesystem::exists(path)) << "visible before it is complete";
  ASSERT_TRUE(writer->finish());
  auto source = open_npy(path);
  ASSERT_TRUE(source) << source.error();
  EXPECT_EQ(all_elements(**source), values);
  std::filesystem::remove(path);
}

TEST(NpyWriter, AFileThatCannotBeMadeIsASentence) {
  auto writer = NpyWriter::create("/nonexistent/C.npy", 1, 1);
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.error(), "/nonexistent/C.npy: cannot be written: No such file or directory");
}

TEST(NpyWriter, AFolderAndAnEmptyNameAreSentences) {
  EXPECT_EQ(NpyWriter::create("/", 1, 1).error(), "/: cannot be written: Is a directory");
  EXPECT_FALSE(NpyWriter::create("", 1, 1));
}

TEST(NpyWriter, FollowsALinkAndKeepsIt) {
  const std::string target = temporary_path("target");
  const std::string link = temporary_path("link");
  std::ofstream(target) << "old";
  std::filesystem::create_symlink(target, link);
  auto writer = NpyWriter::create(link, 1, 1);
  ASSERT_TRUE(writer) << writer.error();
  ASSERT_TRUE(writer->append(std::vector<float>{7}));
  ASSERT_TRUE(writer->finish());
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_TRUE(open_npy(target));
  std::filesystem::remove(target);
  EXPECT_NE(NpyWriter::create(link, 1, 1).error().find("which does not exist"), std::string::npos);
  std::filesystem::remove(link);
}

TEST(NpyWriter, WritesIntoAPipeAndLeavesItOne) {
  const std::string path = temporary_path("pipe");
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  std::string got;
  std::jthread reader([&] {
    std::ifstream in(path, std::ios::binary);
    got.assign(std::istreambuf_iterator<char>(in), {});
  });
  {
    auto writer = NpyWriter::create(path, 1, 1);
    ASSERT_TRUE(writer) << writer.error();
    ASSERT_TRUE(writer->append(std::vector<float>{7}));
    ASSERT_TRUE(writer->finish());
  }
  reader.join();
  EXPECT_EQ(got, make_npy_header(1, 1) + floats({7}, false));
  EXPECT_TRUE(std::filesystem::is_fifo(path));
  std::filesystem::remove(path);
}

TEST(NpyWriter, AProcessThatIsKilledLeavesNothing) {
  const std::string folder = temporary_path("folder");
  std::filesystem::create_directory(folder);
  const pid_t child = ::fork();
  if (child == 0) {
    auto writer = NpyWriter::create(folder + "/C.npy", 1, 1);
    ::_exit(writer ? 3 : 4);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 3);
  for (const auto& left : std::filesystem::directory_iterator(folder)) {
    if (left.path().extension() == ".part") {
      std::filesystem::remove_all(folder);
      GTEST_SKIP() << "this file system has no files without a name";
    }
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder));
  std::filesystem::remove_all(folder);
}

TEST(SeededMatrix, AnyPartEqualsThatPartOfTheWhole) {
  auto source = make_seeded(5, 7, 42, "A");
  const std::vector<float> all = all_elements(*source);
  std::vector<float> part(3);
  source->read_row(4, 2, part);
  EXPECT_EQ(part, std::vector<float>(all.begin() + 30, all.begin() + 33));
  for (float value : all) {
    EXPECT_GE(value, -1.0f);
    EXPECT_LT(value, 1.0f);
  }
  EXPECT_NE(all, all_elements(*make_seeded(5, 7, 43, "A")));
}

}  // namespace
}  // namespace agmm
