#include "transport/base/direct_memory.h"

#include <bit>
#include <type_traits>

namespace canopy::transport::direct {
namespace {

template <class Word>
uint64_t apply(Word* at, const Amo& operation) {
  std::atomic_ref<Word> word(*at);
  const Word value = static_cast<Word>(operation.value);
  // seq_cst throughout: blocking AMOs are one order for all PEs (design: "Ordering on mapped").
  constexpr auto order = std::memory_order_seq_cst;
  switch (operation.op) {
    case AmoOp::fetch:
      return word.load(order);
    case AmoOp::set:
      word.store(value, order);
      return 0;
    case AmoOp::swap:
      return word.exchange(value, order);
    case AmoOp::compare_swap: {
      Word expected = static_cast<Word>(operation.compare);
      word.compare_exchange_strong(expected, value, order);
      return expected;
    }
    case AmoOp::add:
      return word.fetch_add(value, order);
    case AmoOp::bit_and:
      return word.fetch_and(value, order);
    case AmoOp::bit_or:
      return word.fetch_or(value, order);
    case AmoOp::bit_xor:
      return word.fetch_xor(value, order);
    case AmoOp::add_real: {
      using Real = std::conditional_t<sizeof(Word) == 4, float, double>;
      Word seen = word.load(std::memory_order_relaxed);  // a guess; the exchange decides
      while (!word.compare_exchange_weak(
          seen, std::bit_cast<Word>(std::bit_cast<Real>(seen) + std::bit_cast<Real>(value)),
          order)) {
      }
      return seen;
    }
  }
  return 0;
}

template <class Word>
void apply(Word* at, const Signal& update) {
  std::atomic_ref<Word> word(*at);
  const Word value = static_cast<Word>(update.value);
  // Release: whoever sees the signal sees the data stored before; pairs with the acquire of the
  // wait.
  if (update.op == SignalOp::set) {
    word.store(value, std::memory_order_release);
  } else {
    word.fetch_add(value, std::memory_order_release);
  }
}

}  // namespace

uint64_t amo(std::byte* at, const Amo& operation) {
  return operation.width == 4 ? apply(reinterpret_cast<uint32_t*>(at), operation)
                              : apply(reinterpret_cast<uint64_t*>(at), operation);
}

void signal(std::byte* at, const Signal& update) {
  if (update.width == sizeof(uint32_t)) {
    apply(reinterpret_cast<uint32_t*>(at), update);
  } else {
    apply(reinterpret_cast<uint64_t*>(at), update);
  }
}

}  // namespace canopy::transport::direct
