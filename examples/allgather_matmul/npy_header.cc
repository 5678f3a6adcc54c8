#include "examples/allgather_matmul/npy_header.h"

#include <algorithm>
#include <bit>
#include <cctype>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

namespace agmm {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

// Reads the header's text: a Python dictionary with three known keys. The grammar that NumPy
// writes, with blanks wherever Python allows them.
class DictReader {
 public:
  explicit DictReader(std::string_view text) : text_(text) {}

  bool take(char c) {
    skip_blanks();
    if (at_ == text_.size() || text_[at_] != c) {
      return false;
    }
    ++at_;
    return true;
  }

  std::optional<std::string_view> string() {
    skip_blanks();
    if (at_ == text_.size() || (text_[at_] != '\'' && text_[at_] != '"')) {
      return {};
    }
    const size_t end = text_.find(text_[at_], at_ + 1);
    if (end == text_.npos) {
      return {};
    }
    std::string_view found = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return found;
  }

  std::string_view word() {
    skip_blanks();
    const size_t begin = at_;
    while (at_ < text_.size() && std::isalnum(static_cast<unsigned char>(text_[at_]))) {
      ++at_;
    }
    return text_.substr(begin, at_ - begin);
  }

  bool at_end() {
    skip_blanks();
    return at_ == text_.size();
  }

 private:
  void skip_blanks() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) {
      ++at_;
    }
  }

  std::string_view text_;
  size_t at_ = 0;
};

struct Fields {
  std::optional<std::string> descr;
  std::optional<bool> fortran_order;
  std::optional<std::vector<uint64_t>> shape;
};

Fallible<std::vector<uint64_t>> read_shape(DictReader& in, const std::string& name) {
  std::vector<uint64_t> shape;
  if (!in.take('(')) {
    return failure("{}: the shape in its header is not a tuple", name);
  }
  while (!in.take(')')) {
    const std::string_view digits = in.word();
    uint64_t extent = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), extent);
    if (error == std::errc::result_out_of_range) {
      return failure("{}: the extent {} in its shape does not fit 64 bits", name, digits);
    }
    if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) {
      return failure("{}: the shape in its header is not a tuple of non-negative numbers", name);
    }
    shape.push_back(extent);
    if (!in.take(',')) {
      if (!in.take(')')) {
        return failure("{}: the shape in its header does not end with ')'", name);
      }
      break;
    }
  }
  return shape;
}

Fallible<void> read_field(DictReader& in, std::string_view key, Fields& fields,
                          const std::string& name) {
  if (key == "descr") {
    const auto type = in.string();
    if (!type) {
      return failure("{}: holds records, not fp32 numbers ('<f4' or '>f4')", name);
    }
    fields.descr = std::string(*type);
  } else if (key == "fortran_order") {
    const std::string_view value = in.word();
    if (value != "True" && value != "False") {
      return failure("{}: fortran_order in its header is neither True nor False", name);
    }
    fields.fortran_order = value == "True";
  } else if (key == "shape") {
    auto shape = read_shape(in, name);
    if (!shape) {
      return tl::unexpected(shape.error());
    }
    fields.shape = *shape;
  } else {
    return failure("{}: unknown key '{}' in its header", name, key);
  }
  return {};
}

Fallible<Fields> read_fields(std::string_view text, const std::string& name) {
  DictReader in(text);
  Fields fields;
  if (!in.take('{')) {
    return failure("{}: its header is not a dictionary", name);
  }
  while (!in.take('}')) {
    const auto key = in.string();
    if (!key || !in.take(':')) {
      return failure("{}: its header is not a dictionary of 'descr', 'fortran_order' and 'shape'",
                     name);
    }
    if (auto field = read_field(in, *key, fields, name); !field) {
      return tl::unexpected(field.error());
    }
    if (!in.take(',')) {
      if (!in.take('}')) {
        return failure("{}: its header ends within the dictionary", name);
      }
      break;
    }
  }
  if (!in.at_end()) {
    return failure("{}: its header goes on after the dictionary", name);
  }
  if (!fields.descr || !fields.fortran_order || !fields.shape) {
    return failure("{}: its header lacks 'descr', 'fortran_order' or 'shape'", name);
  }
  return fields;
}

Fallible<NpyHeader> accept(const Fields& fields, uint64_t data_offset, uint64_t file_bytes,
                           const std::string& name) {
  const bool native_big = std::endian::native == std::endian::big;
  const std::string& type = *fields.descr;
  if (type != "<f4" && type != ">f4" && type != "=f4" && type != "f4") {
    return failure("{}: its elements are '{}', only fp32 ('<f4' or '>f4') is accepted", name, type);
  }
  if (fields.shape->size() != 2) {
    return failure("{}: has {} dimension(s), a matrix has 2", name, fields.shape->size());
  }
  NpyHeader header;
  header.rows = (*fields.shape)[0];
  header.cols = (*fields.shape)[1];
  header.fortran_order = *fields.fortran_order;
  header.big_endian = type[0] == '>' || (type[0] != '<' && native_big);
  header.data_offset = data_offset;
  if (header.rows == 0 || header.cols == 0) {
    return failure("{}: is empty ({} x {}), a matrix needs at least one row and one column", name,
                   header.rows, header.cols);
  }
  uint64_t elements = 0;
  uint64_t nbytes = 0;
  if (__builtin_mul_overflow(header.rows, header.cols, &elements) ||
      __builtin_mul_overflow(elements, uint64_t{sizeof(float)}, &nbytes)) {
    return failure("{}: its shape {} x {} overflows 64 bits", name, header.rows, header.cols);
  }
  const uint64_t there = file_bytes - data_offset;
  if (there < nbytes) {
    return failure("{}: is truncated, {} x {} needs {} bytes of data and {} are there", name,
                   header.rows, header.cols, nbytes, there);
  }
  if (there > nbytes) {
    return failure("{}: {} bytes follow the {} bytes of its {} x {} matrix", name, there - nbytes,
                   nbytes, header.rows, header.cols);
  }
  return header;
}

}  // namespace

Fallible<NpyHeader> parse_npy_header(std::span<const unsigned char> file, uint64_t file_bytes,
                                     const std::string& name) {
  if (file.size() < kMagic.size() || std::memcmp(file.data(), kMagic.data(), kMagic.size()) != 0) {
    return failure("{}: is no .npy file (it does not begin with \\x93NUMPY)", name);
  }
  if (file.size() < 10) {
    return failure("{}: is truncated after {} bytes, within the header", name, file.size());
  }
  const unsigned major = file[6];
  if (major < 1 || major > 3) {
    return failure("{}: .npy version {}.{} is unknown, 1.0 to 3.0 are read", name, major, file[7]);
  }
  const size_t length_bytes = major == 1 ? 2 : 4;
  if (file.size() < 8 + length_bytes) {
    return failure("{}: is truncated after {} bytes, within the header", name, file.size());
  }
  uint64_t text_bytes = 0;
  for (size_t i = length_bytes; i-- > 0;) {
    text_bytes = text_bytes << 8 | file[8 + i];
  }
  const uint64_t data_offset = 8 + length_bytes + text_bytes;
  if (data_offset > file_bytes || data_offset > file.size()) {
    return failure("{}: is truncated, its header needs {} bytes and the file has {}", name,
                   data_offset, file_bytes);
  }
  const std::string_view text(reinterpret_cast<const char*>(file.data()) + 8 + length_bytes,
                              text_bytes);
  auto fields = read_fields(text, name);
  if (!fields) {
    return tl::unexpected(fields.error());
  }
  return accept(*fields, data_offset, file_bytes, name);
}

std::string make_npy_header(uint64_t rows, uint64_t cols) {
  const char order = std::endian::native == std::endian::big ? '>' : '<';
  std::string text = fmt::format("{{'descr': '{}f4', 'fortran_order': False, 'shape': ({}, {}), }}",
                                 order, rows, cols);
  // Magic, version and length take 10 bytes; data starts at a multiple of 64, as NumPy does it, so
  // that a mapped file can be used in place.
  const size_t whole = (10 + text.size() + 1 + 63) / 64 * 64;
  text.resize(whole - 11, ' ');
  text.push_back('\n');
  std::string header(kMagic);
  header.push_back(1);
  header.push_back(0);
  header.push_back(static_cast<char>(text.size() & 0xff));
  header.push_back(static_cast<char>(text.size() >> 8));
  return header + text;
}

}  // namespace agmm
