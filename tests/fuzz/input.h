// Input: what a fuzzer hands in, read front to back; past its end everything is 0.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace canopy::fuzz {

class Input {
 public:
  Input(const uint8_t* data, size_t bytes) : data_(reinterpret_cast<const char*>(data)), left_(bytes) {}

  bool empty() const { return left_ == 0; }
  uint8_t byte() {
    const std::string_view one = bytes(1);
    return one.empty() ? 0 : static_cast<uint8_t>(one[0]);
  }
  template <class Number>
  Number number() {
    Number result{};
    const std::string_view raw = bytes(sizeof result);
    std::memcpy(&result, raw.data(), raw.size());
    return result;
  }
  // The next `count` bytes, or as many as there are.
  std::string_view bytes(size_t count) {
    const std::string_view result(data_, std::min(count, left_));
    data_ += result.size();
    left_ -= result.size();
    return result;
  }
  std::string_view rest() { return bytes(left_); }

 private:
  const char* data_;
  size_t left_;
};

}  // namespace canopy::fuzz
