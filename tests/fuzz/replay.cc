// What runs a fuzz target where the compiler has no libFuzzer: every file of its corpus, and then a fixed number of
// inputs made from them at random, the same ones in every run.
//
//   fuzz_NAME [-runs=N] [-seed=N] FOLDER or FILE...
//
// An input that ends the process is left in ./crash-NAME-PID, which the program takes as an argument.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes);
// Of the sanitizers, where they are linked: they end a process without a signal.
extern "C" void __sanitizer_set_death_callback(void (*callback)()) __attribute__((weak));

namespace {

using Bytes = std::vector<uint8_t>;

constexpr size_t kMostBytes = 4096;
constexpr unsigned kPatienceS = 20;  // for one input; a hang is a finding

// Of the input that runs now: read when the process dies.
const Bytes* g_input = nullptr;
char g_crash_file[256];

void keep_input() {
  const int fd = ::open(g_crash_file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (fd < 0 || g_input == nullptr || ::write(fd, g_input->data(), g_input->size()) < 0) {
    return;
  }
  constexpr char kSaid[] = "the input is kept in ";
  [[maybe_unused]] ssize_t said = ::write(2, kSaid, sizeof kSaid - 1);
  said = ::write(2, g_crash_file, std::strlen(g_crash_file));
  said = ::write(2, "\n", 1);
}

void on_signal(int number) {
  keep_input();
  ::signal(number, SIG_DFL);
  ::raise(number);
}

void watch_for_death(const std::string& name) {
  std::snprintf(g_crash_file, sizeof g_crash_file, "crash-%s-%d", name.c_str(), static_cast<int>(::getpid()));
  if (__sanitizer_set_death_callback != nullptr) {
    __sanitizer_set_death_callback(keep_input);
  }
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGALRM}) {
    ::signal(number, on_signal);
  }
}

void run(const Bytes& input) {
  g_input = &input;
  ::alarm(kPatienceS);
  // A copy of its own size: reading past it is seen by the sanitizers.
  const Bytes exact(input);
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
  ::alarm(0);
}

std::vector<Bytes> read_corpus(const std::vector<std::string>& places) {
  std::vector<std::string> files;
  for (const std::string& place : places) {
    if (!std::filesystem::is_directory(place)) {
      files.push_back(place);
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(place)) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());  // the same order everywhere, hence the same inputs
  std::vector<Bytes> corpus;
  for (const std::string& file : files) {
    std::ifstream stream(file, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
  }
  return corpus;
}

class Mutations {
 public:
  Mutations(const std::vector<Bytes>& corpus, uint64_t seed) : corpus_(corpus), random_(seed) {}

  Bytes next() {
    Bytes bytes = corpus_.empty() ? Bytes() : corpus_[below(corpus_.size())];
    for (size_t left = 1 + below(8); left > 0; --left) {
      change(bytes);
    }
    bytes.resize(std::min(bytes.size(), kMostBytes));
    return bytes;
  }

 private:
  // Not uniform_int_distribution: it differs between libraries.
  size_t below(size_t end) { return end == 0 ? 0 : static_cast<size_t>(random_() % end); }

  void change(Bytes& bytes) {
    const size_t at = below(bytes.size() + 1);
    switch (below(7)) {
      case 0:  // one bit
        if (at < bytes.size()) {
          bytes[at] ^= static_cast<uint8_t>(1u << below(8));
        }
        break;
      case 1:  // one byte
        if (at < bytes.size()) {
          bytes[at] = static_cast<uint8_t>(random_());
        }
        break;
      case 2:
        insert(bytes, at, Bytes(1 + below(4), static_cast<uint8_t>(random_())));
        break;
      case 3:
        bytes.erase(bytes.begin() + static_cast<ptrdiff_t>(at), bytes.begin() + static_cast<ptrdiff_t>(std::min(bytes.size(), at + 1 + below(16))));
        break;
      case 4:  // a number on an edge
        set_edge(bytes, at);
        break;
      case 5:
        insert(bytes, at, piece_of(bytes));
        break;
      default:
        insert(bytes, at, piece_of(corpus_.empty() ? bytes : corpus_[below(corpus_.size())]));
        break;
    }
  }

  void set_edge(Bytes& bytes, size_t at) {
    constexpr uint64_t kEdges[] = {0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1ull << 63, ~0ull};
    const uint64_t edge = kEdges[below(std::size(kEdges))];
    const size_t size = size_t{1} << below(4);
    if (at + size <= bytes.size()) {
      std::memcpy(bytes.data() + at, &edge, size);
    }
  }

  Bytes piece_of(const Bytes& from) {
    const size_t start = below(from.size());
    const size_t size = std::min(from.size() - start, 1 + below(64));
    return Bytes(from.begin() + static_cast<ptrdiff_t>(start), from.begin() + static_cast<ptrdiff_t>(start + size));
  }

  static void insert(Bytes& bytes, size_t at, const Bytes& what) {
    bytes.insert(bytes.begin() + static_cast<ptrdiff_t>(at), what.begin(), what.end());
  }

  const std::vector<Bytes>& corpus_;
  std::mt19937_64 random_;
};

}  // namespace

int main(int argc, char** argv) {
  uint64_t runs = 0;
  uint64_t seed = 1;
  std::vector<std::string> places;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument.starts_with("-runs=")) {
      runs = std::strtoull(argument.c_str() + 6, nullptr, 10);
    } else if (argument.starts_with("-seed=")) {
      seed = std::strtoull(argument.c_str() + 6, nullptr, 10);
    } else {
      places.push_back(argument);
    }
  }
  const std::vector<Bytes> corpus = read_corpus(places);
  if (corpus.empty()) {
    std::fprintf(stderr, "%s: no corpus: name its folder\n", argv[0]);
    return 2;
  }
  watch_for_death(std::filesystem::path(argv[0]).filename());
  for (const Bytes& each : corpus) {
    run(each);
  }
  Mutations mutations(corpus, seed);
  for (uint64_t i = 0; i < runs; ++i) {
    run(mutations.next());
  }
  std::printf("%s: %zu files and %llu inputs made from them, seed %llu: no finding\n", argv[0], corpus.size(),
              static_cast<unsigned long long>(runs), static_cast<unsigned long long>(seed));
  return 0;
}
