// Gives a test program a machine and a host table of its own, before anything asks for them: four NPUs
// of 256 MiB, so that capacity can be used up, and links of every kind of path. See private_machine.h.
#include "tests/unit/core/private_machine.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace canopy::test {
namespace {

constexpr const char* kSpec = R"({
  "canopy_spec": 1,
  "name": "test-npus",
  "count": 4,
  "npu": {"soc": "TestNPU", "cube_cores": 24, "vector_cores": 48, "aicpu_cores": 6, "hbm": "256M", "ub": "192K"},
  "links": {"mesh": "hccs", "pairs": [{"between": [0, 2], "class": "phb"}, {"between": [0, 3], "class": "none"}]}
})";

constexpr const char* kFolder = "CANOPY_TEST_FOLDER";

class PrivateMachine {
 public:
  PrivateMachine() : owner_(::getenv("CANOPY_TEST_ROLE") == nullptr ? ::getpid() : 0) {
    if (owner_ == 0) {
      return;  // a second process of a test, on its machine
    }
    // A program that a death test starts afresh ends as it pleases, by _exit or a signal: its folder lies in that of
    // the process that started it, which removes both.
    const char* parents = ::getenv(kFolder);
    folder_ = parents != nullptr ? std::filesystem::path(parents) : std::filesystem::temp_directory_path();
    folder_ /= "canopy-test-" + std::to_string(owner_);
    std::filesystem::create_directories(folder_);
    ::setenv(kFolder, folder_.c_str(), 1);
    const auto spec = folder_ / "spec.json";
    std::ofstream(spec) << kSpec;
    ::setenv("CANOPY_SOC_SPEC", spec.c_str(), 1);
    ::setenv("CANOPY_HOST_TABLE", (folder_ / "table").c_str(), 1);
  }
  ~PrivateMachine() {
    if (::getpid() == owner_) {  // not a forked child that calls exit
      std::error_code ignored;
      std::filesystem::remove_all(folder_, ignored);
    }
  }
  const std::filesystem::path& folder() const { return folder_; }

 private:
  const pid_t owner_;
  std::filesystem::path folder_;
};

PrivateMachine machine;

}  // namespace

std::string write_scratch(const std::string& name, const std::string& text) {
  const auto path = machine.folder() / name;
  std::ofstream(path, std::ios::binary) << text;
  return path.string();
}

}  // namespace canopy::test
