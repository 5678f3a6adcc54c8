#include "examples/allgather_matmul/npy_writer.h"

#include "examples/allgather_matmul/npy_header.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace agmm {

Fallible<NpyWriter> NpyWriter::create(const std::string& path, uint64_t rows, uint64_t cols) {
  const std::string temporary = fmt::format("{}.{}.part", path, getpid());
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) {
    return failure("{}: cannot be written: {}", path, std::strerror(errno));
  }
  NpyWriter writer(path, temporary, fd);
  const std::string header = make_npy_header(rows, cols);
  if (auto written = writer.write_all(header.data(), header.size()); !written) {
    return tl::unexpected(written.error());
  }
  return writer;
}

NpyWriter::NpyWriter(NpyWriter&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::move(other.temporary_)),
      fd_(std::exchange(other.fd_, -1)) {}

NpyWriter::~NpyWriter() {
  if (fd_ >= 0) {
    close(fd_);
    unlink(temporary_.c_str());
  }
}

Fallible<void> NpyWriter::append(std::span<const float> elements) {
  return write_all(elements.data(), elements.size_bytes());
}

Fallible<void> NpyWriter::finish() {
  // close() may be where a file system tells that its space ran out.
  const int closed = close(std::exchange(fd_, -1));
  if (closed != 0 || std::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int error = errno;
    unlink(temporary_.c_str());
    return failure("{}: cannot be written: {}", path_, std::strerror(error));
  }
  return {};
}

Fallible<void> NpyWriter::write_all(const void* data, size_t nbytes) {
  const char* at = static_cast<const char*>(data);
  while (nbytes > 0) {
    const ssize_t written = ::write(fd_, at, nbytes);
    if (written < 0) {
      if (errno == EINTR) {
        continue;
      }
      return failure("{}: writing failed: {}", path_, std::strerror(errno));
    }
    at += written;
    nbytes -= static_cast<size_t>(written);
  }
  return {};
}

}  // namespace agmm
