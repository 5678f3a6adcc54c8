// Writes a matrix row by row into a .npy file that appears under its name only when it is complete.
//
// One thread. A writer that is destroyed before finish() leaves nothing behind.
#pragma once

#include "examples/allgather_matmul/fallible.h"

#include <cstdint>
#include <span>
#include <string>

namespace agmm {

class NpyWriter {
 public:
  // Makes the file under a temporary name beside `path` and writes the header.
  static Fallible<NpyWriter> create(const std::string& path, uint64_t rows, uint64_t cols);
  NpyWriter(NpyWriter&& other) noexcept;
  NpyWriter& operator=(NpyWriter&&) = delete;
  ~NpyWriter();

  // Appends elements in C order: any number of rows, whole or in pieces.
  Fallible<void> append(std::span<const float> elements);
  // Gives the file its name. REQUIRES: all elements were appended.
  Fallible<void> finish();

 private:
  NpyWriter(std::string path, std::string temporary, int fd)
      : path_(std::move(path)), temporary_(std::move(temporary)), fd_(fd) {}
  Fallible<void> write_all(const void* data, size_t nbytes);

  std::string path_;
  std::string temporary_;
  int fd_ = -1;
};

}  // namespace agmm
