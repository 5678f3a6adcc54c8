#include "examples/allgather_matmul/matrix_source.h"

#include "examples/allgather_matmul/npy_header.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>

namespace agmm {
namespace {

// A file mapped for reading; owns the mapping.
class MappedFile {
 public:
  static Fallible<MappedFile> open(const std::string& path) {
    // Nonblocking: the open of a pipe that nobody writes to would wait for ever.
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
      return failure("{}: cannot be opened: {}", path, std::strerror(errno));
    }
    MappedFile file;
    struct stat status = {};
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
      close(fd);
      return failure("{}: is not a regular file", path);
    }
    file.nbytes_ = static_cast<size_t>(status.st_size);
    if (file.nbytes_ > 0) {  // nothing of length 0 can be mapped
      void* at = mmap(nullptr, file.nbytes_, PROT_READ, MAP_SHARED, fd, 0);
      if (at == MAP_FAILED) {
        const int error = errno;
        close(fd);
        return failure("{}: its {} bytes cannot be mapped: {}", path, file.nbytes_,
                       std::strerror(error));
      }
      file.data_ = static_cast<const unsigned char*>(at);
    }
    close(fd);
    return file;
  }

  MappedFile(MappedFile&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), nbytes_(std::exchange(other.nbytes_, 0)) {}
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile() {
    if (data_ != nullptr) {
      munmap(const_cast<unsigned char*>(data_), nbytes_);
    }
  }

  std::span<const unsigned char> bytes() const { return {data_, nbytes_}; }

 private:
  MappedFile() = default;
  const unsigned char* data_ = nullptr;
  size_t nbytes_ = 0;
};

class NpyMatrix final : public MatrixSource {
 public:
  NpyMatrix(std::string path, MappedFile file, const NpyHeader& header)
      : path_(std::move(path)),
        file_(std::move(file)),
        header_(header),
        data_(file_.bytes().data() + header.data_offset),
        swap_(header.big_endian != (std::endian::native == std::endian::big)) {}

  uint64_t rows() const override { return header_.rows; }
  uint64_t cols() const override { return header_.cols; }
  std::string name() const override { return path_; }

  void read_row(uint64_t row, uint64_t first_col, std::span<float> out) const override {
    if (!header_.fortran_order && !swap_) {
      std::memcpy(out.data(), data_ + (row * header_.cols + first_col) * sizeof(float),
                  out.size_bytes());
      return;
    }
    for (size_t i = 0; i < out.size(); ++i) {
      const uint64_t col = first_col + i;
      const uint64_t index =
          header_.fortran_order ? col * header_.rows + row : row * header_.cols + col;
      uint32_t bits = 0;  // copied, since a header of odd length leaves the data unaligned
      std::memcpy(&bits, data_ + index * sizeof bits, sizeof bits);
      out[i] = std::bit_cast<float>(swap_ ? __builtin_bswap32(bits) : bits);
    }
  }

 private:
  std::string path_;
  MappedFile file_;
  NpyHeader header_;
  const unsigned char* data_;
  bool swap_;
};

class SeededMatrix final : public MatrixSource {
 public:
  SeededMatrix(uint64_t rows, uint64_t cols, uint64_t seed, std::string name)
      : rows_(rows), cols_(cols), seed_(seed), name_(std::move(name)) {}

  uint64_t rows() const override { return rows_; }
  uint64_t cols() const override { return cols_; }
  std::string name() const override { return name_; }

  void read_row(uint64_t row, uint64_t first_col, std::span<float> out) const override {
    for (size_t i = 0; i < out.size(); ++i) {
      // The finaliser of the splitmix64 generator: every bit of the index reaches every bit of the
      // sum.
      uint64_t x = seed_ + 0x9e3779b97f4a7c15ULL * (row * cols_ + first_col + i + 1);
      x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
      x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
      x ^= x >> 31;
      out[i] = static_cast<float>(x >> 40) * 0x1p-23f - 1.0f;  // 24 bits: exact in fp32
    }
  }

 private:
  uint64_t rows_;
  uint64_t cols_;
  uint64_t seed_;
  std::string name_;
};

class Transposed final : public MatrixSource {
 public:
  explicit Transposed(std::unique_ptr<MatrixSource> of) : of_(std::move(of)) {}

  uint64_t rows() const override { return of_->cols(); }
  uint64_t cols() const override { return of_->rows(); }
  std::string name() const override { return of_->name() + " (transposed)"; }

  void read_row(uint64_t row, uint64_t first_col, std::span<float> out) const override {
    for (size_t i = 0; i < out.size(); ++i) {
      of_->read_row(first_col + i, row, out.subspan(i, 1));
    }
  }

 private:
  std::unique_ptr<MatrixSource> of_;
};

}  // namespace

Fallible<std::unique_ptr<MatrixSource>> open_npy(const std::string& path) {
  auto file = MappedFile::open(path);
  if (!file) {
    return tl::unexpected(file.error());
  }
  auto header = parse_npy_header(file->bytes(), file->bytes().size(), path);
  if (!header) {
    return tl::unexpected(header.error());
  }
  return std::make_unique<NpyMatrix>(path, std::move(*file), *header);
}

std::unique_ptr<MatrixSource> make_seeded(uint64_t rows, uint64_t cols, uint64_t seed,
                                          std::string name) {
  return std::make_unique<SeededMatrix>(rows, cols, seed, std::move(name));
}

std::unique_ptr<MatrixSource> transpose(std::unique_ptr<MatrixSource> source) {
  return std::make_unique<Transposed>(std::move(source));
}

}  // namespace agmm
