#include "examples/allgather_matmul/passes.h"

#include <algorithm>
#include <bit>

namespace agmm {
namespace {

constexpr size_t kStagingBytes = size_t{1} << 20;

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 != 0 ? values[half] : (values[half - 1] + values[half]) / 2;
}

// Equal only for equal bits, as far as 64 bits can tell.
uint64_t fingerprint(std::span<const float> values) {
  uint64_t sum = 0xcbf29ce484222325ULL;
  for (float value : values) {
    sum = (sum ^ std::bit_cast<uint32_t>(value)) * 0x100000001b3ULL;
    sum ^= sum >> 29;
  }
  return sum;
}

template <class Pointer>
Fallible<void> keep(Fallible<Pointer> made, Pointer* member) {
  if (!made) {
    return tl::unexpected(made.error());
  }
  *member = std::move(*made);
  return {};
}

// Floats [range) of `base`, in stream order; 0xff in all bytes is a NaN.
Fallible<void> fill_with_nan(float* base, Range range, const char* what, aclrtStream stream) {
  if (range.size() == 0) {
    return {};
  }
  const size_t nbytes = range.size() * sizeof(float);
  return acl_done(aclrtMemsetAsync(base + range.begin, nbytes, 0xff, nbytes, stream),
                  fmt::format("aclrtMemsetAsync of {}", what));
}

}  // namespace

Fallible<std::unique_ptr<Passes>> Passes::create(Job& job, const Partition& part,
                                                 const MatrixSource& a, const MatrixSource& b,
                                                 uint32_t blocks) {
  auto made = std::unique_ptr<Passes>(new Passes(job, part, blocks));
  Fallible<void> ready = made->allocate();
  if (ready) {
    ready = made->load(a, b);
  }
  if (auto all = job.agree(ready); !all) {
    return tl::unexpected(all.error());
  }
  return made;
}

// Each piece becomes a member at once: where a later one fails on this rank alone, all ranks still
// free the symmetric ones together, after they have agreed on the failure.
Fallible<void> Passes::allocate() {
  const auto pe = static_cast<uint32_t>(job_.pe());
  const uint64_t cols = part_.cols_of(pe).size();
  for (const Fallible<void>& done :
       {keep(symmetric_alloc<float>(part_.m * part_.k, "A"), &a_),
        keep(symmetric_alloc<float>(part_.m * part_.most_cols(), "C"), &c_),
        keep(symmetric_alloc<int32_t>(part_.row_tiles(), "the signals"), &arrived_),
        keep(device_alloc<float>(part_.k * cols, "B"), &b_),
        keep(device_alloc<uint64_t>(kTicketBytes / sizeof(uint64_t), "the tickets"), &tickets_),
        keep(TimedStream::create(), &stream_)}) {
    if (!done) {
      return done;
    }
  }
  card_ = {.part = part_,
           .pe = pe,
           .pushers = std::max<uint32_t>(1, blocks_ / 4),
           .a = a_.get(),
           .b = b_.get(),
           .c = c_.get(),
           .arrived = arrived_.get(),
           .tickets = tickets_.get()};
  return {};
}

Fallible<void> Passes::load(const MatrixSource& a, const MatrixSource& b) {
  const auto pe = static_cast<uint32_t>(job_.pe());
  const Range cols = part_.cols_of(pe);
  b_host_.resize(part_.k * cols.size());
  c_host_.resize(part_.m * cols.size());
  for (uint64_t row = 0; row < part_.k; ++row) {
    b.read_row(row, cols.begin, std::span(b_host_).subspan(row * cols.size(), cols.size()));
  }
  const size_t b_bytes = b_host_.size() * sizeof(float);
  if (b_bytes != 0) {
    if (auto done = acl_done(
            aclrtMemcpy(b_.get(), b_bytes, b_host_.data(), b_bytes, ACL_MEMCPY_HOST_TO_DEVICE),
            "copying B to the card");
        !done) {
      return done;
    }
  }
  // A goes through a small buffer: no rank needs a second copy of its block.
  const Range rows = part_.rows_of(pe);
  const uint64_t step = std::max<uint64_t>(1, kStagingBytes / sizeof(float) / part_.k);
  std::vector<float> staging(std::min(step, rows.size()) * part_.k);
  for (uint64_t first = rows.begin; first < rows.end; first += step) {
    const uint64_t count = std::min(step, rows.end - first);
    for (uint64_t row = 0; row < count; ++row) {
      a.read_row(first + row, 0, std::span(staging).subspan(row * part_.k, part_.k));
    }
    const size_t nbytes = count * part_.k * sizeof(float);
    if (auto done = acl_done(aclrtMemcpy(a_.get() + first * part_.k, nbytes, staging.data(), nbytes,
                                         ACL_MEMCPY_HOST_TO_DEVICE),
                             "copying A to the card");
        !done) {
      return done;
    }
  }
  return {};
}

// What a pass does not bring and compute itself shows as NaN: all of C, and the rows of A that are
// not this rank's own.
Fallible<void> Passes::forget_c() {
  return fill_with_nan(card_.c, {0, part_.m * part_.cols_of(card_.pe).size()}, "C", stream_->get());
}

Fallible<void> Passes::forget_a() {
  const Range rows = part_.rows_of(card_.pe);
  auto done = fill_with_nan(card_.a, {0, rows.begin * part_.k}, "A", stream_->get());
  return done ? fill_with_nan(card_.a, {rows.end * part_.k, part_.m * part_.k}, "A", stream_->get())
              : done;
}

Fallible<void> Passes::same_result(const char* pass) {
  const size_t nbytes = c_host_.size() * sizeof(float);
  if (nbytes != 0) {
    if (auto done = acl_done(
            aclrtMemcpy(c_host_.data(), nbytes, c_.get(), nbytes, ACL_MEMCPY_DEVICE_TO_HOST),
            "copying C to the host");
        !done) {
      return done;
    }
  }
  const uint64_t found = fingerprint(c_host_);
  if (fingerprint_.value_or(found) != found) {
    return failure("pass {} ({}) computed another C than the first pass", pass_, pass);
  }
  fingerprint_ = found;
  return {};
}

template <class Queue>
Fallible<void> Passes::pass(const PassKind& kind, Queue&& queue, std::vector<double>* times) {
  Fallible<void> ready = forget_c();
  if (ready && kind.communicates) {
    ++pass_;
    ready = forget_a();
  }
  if (ready) {
    ready = acl_done(aclrtMemsetAsync(card_.tickets, kTicketBytes, 0, kTicketBytes, stream_->get()),
                     "aclrtMemsetAsync of the tickets");
  }
  if (ready) {
    ready = acl_done(aclrtSynchronizeStream(stream_->get()), "resetting the card");
  }
  if (!ready) {
    return ready;
  }
  // Nobody may push into a card that is still being reset, or still multiplies for the last pass.
  job_.barrier();
  auto ms = stream_->time(kind.name, queue);
  if (!ms) {
    return tl::unexpected(ms.error());
  }
  times->push_back(*ms);
  job_.barrier();
  return kind.computes ? same_result(kind.name) : Fallible<void>();
}

Fallible<PassTimes> Passes::run(int repetitions) {
  const aclrtStream stream = stream_->get();
  const auto do_exchange = [&] { return canopy::launch(exchange, blocks_, stream, card_, pass_); };
  const auto do_multiply = [&] { return canopy::launch(multiply, blocks_, stream, card_); };
  const auto do_serial = [&] {
    const aclError code = do_exchange();
    return code != ACL_SUCCESS ? code : do_multiply();
  };
  const auto do_fused = [&] { return canopy::launch(fused, blocks_, stream, card_, pass_); };

  std::vector<double> comm, compute, serial, together;
  for (int i = 0; i < repetitions; ++i) {
    Fallible<void> done = pass({"T_comm", true, false}, do_exchange, &comm);
    if (done) {  // finds the rows that T_comm has brought
      done = pass({"T_compute", false, true}, do_multiply, &compute);
    }
    if (done) {
      done = pass({"T_serial", true, true}, do_serial, &serial);
    }
    if (done) {
      done = pass({"T_fused", true, true}, do_fused, &together);
    }
    if (!done) {
      return tl::unexpected(done.error());
    }
  }
  return PassTimes{median(compute), median(comm), median(serial), median(together)};
}

}  // namespace agmm
