// Writes a matrix row by row into a .npy file that appears under its name only when it is complete.
// What is no regular file (a device, a pipe) is written as it is; a link is followed.
//
// One thread. A writer that is destroyed before finish(), or killed, leaves nothing behind. (Killed
// on a file system without O_TMPFILE, it leaves NAME.PID.part.)
#pragma once

#include "examples/allgather_matmul/fallible.h"

#include <cstdint>
#include <span>
#include <string>

namespace agmm {

class NpyWriter {
 public:
  // Makes a file without a name in the folder of `path` and writes the header.
  static Fallible<NpyWriter> create(const std::string& path, uint64_t rows, uint64_t cols);
  NpyWriter(NpyWriter&& other) noexcept;
  NpyWriter& operator=(NpyWriter&&) = delete;
  ~NpyWriter();

  // Appends elements in C order: any number of rows, whole or in pieces.
  Fallible<void> append(std::span<const float> elements);
  // Gives the file its name. REQUIRES: all elements were appended.
  Fallible<void> finish();

 private:
  explicit NpyWriter(std::string path) : path_(std::move(path)) {}
  Fallible<void> open();
  Fallible<void> give_name();
  Fallible<void> write_all(const void* data, size_t nbytes);
  Fallible<void> problem(int error) const;

  std::string path_;
  std::string target_;     // where the file is to appear; "" when it is written in place
  std::string temporary_;  // its name until then; "" while it has none
  int fd_ = -1;
};

}  // namespace agmm
