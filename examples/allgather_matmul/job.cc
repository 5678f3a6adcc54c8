#include "examples/allgather_matmul/job.h"

#include "shmem.h"

#include <algorithm>
#include <cstring>
#include <span>

namespace agmm {
namespace {

// Symmetric memory of the host heap for as long as the object lives; collective at both ends.
class Shared {
 public:
  explicit Shared(size_t nbytes)
      : at_(static_cast<char*>(shmem_malloc(std::max<size_t>(1, nbytes)))) {
    if (at_ == nullptr) {
      shmem_global_exit(1);  // the library has said what is missing
    }
  }
  ~Shared() { shmem_free(at_); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  char* data() { return at_; }

 private:
  char* at_;
};

}  // namespace

Job::Job() {
  shmem_init();
  pe_ = shmem_my_pe();
  n_pes_ = shmem_n_pes();
}

Job::~Job() { shmem_finalize(); }

void Job::barrier() { shmem_barrier_all(); }

std::vector<std::string> Job::all_gather(const std::string& mine) {
  const auto pes = static_cast<size_t>(n_pes_);
  Shared length_words(pes * sizeof(uint64_t));
  auto* lengths = reinterpret_cast<uint64_t*>(length_words.data());
  const uint64_t length = mine.size();
  for (int pe = 0; pe < n_pes_; ++pe) {
    shmem_putmem(lengths + pe_, &length, sizeof length, pe);
  }
  barrier();

  std::vector<uint64_t> begins(pes + 1, 0);
  for (size_t pe = 0; pe < pes; ++pe) {
    begins[pe + 1] = begins[pe] + lengths[pe];
  }
  Shared texts(begins[pes]);
  for (int pe = 0; pe < n_pes_; ++pe) {
    shmem_putmem(texts.data() + begins[static_cast<size_t>(pe_)], mine.data(), mine.size(), pe);
  }
  barrier();

  std::vector<std::string> all;
  for (size_t pe = 0; pe < pes; ++pe) {
    all.emplace_back(texts.data() + begins[pe], lengths[pe]);
  }
  return all;
}

Fallible<void> Job::agree(const Fallible<void>& mine) {
  const std::vector<std::string> all = all_gather(mine ? std::string() : mine.error());
  if (std::all_of(all.begin(), all.end(), [](const auto& text) { return text.empty(); })) {
    return {};
  }
  if (std::equal(all.begin() + 1, all.end(), all.begin())) {
    return failure("{}", all[0]);
  }
  std::string sentences;
  for (size_t pe = 0; pe < all.size(); ++pe) {
    if (!all[pe].empty()) {
      sentences += fmt::format("{}rank {}: {}", sentences.empty() ? "" : "\n", pe, all[pe]);
    }
  }
  return failure("{}", sentences);
}

}  // namespace agmm
