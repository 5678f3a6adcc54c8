// Loaded binaries.
#include "tests/unit/api/gate.h"

#include <atomic>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

namespace canopy::test {
namespace {

class Binary : public AclTest {
 protected:
  void SetUp() override {
    AclTest::SetUp();
    ACL_OK(aclrtMalloc(&out_, 64, ACL_MEM_MALLOC_HUGE_FIRST));
    ACL_OK(aclrtMemset(out_, 64, 0, 64));
  }
  static aclrtBinHandle load() {
    aclrtBinHandle binary = nullptr;
    EXPECT_EQ(aclrtBinaryLoadFromFile(TEST_KERNELS, nullptr, &binary), ACL_SUCCESS) << why();
    return binary;
  }
  static aclrtFuncHandle function(aclrtBinHandle binary, const char* name) {
    aclrtFuncHandle handle = nullptr;
    EXPECT_EQ(aclrtBinaryGetFunction(binary, name, &handle), ACL_SUCCESS) << why();
    return handle;
  }
  aclError launch_count(aclrtFuncHandle handle) {
    return aclrtLaunchKernelWithHostArgs(handle, 1, nullptr, nullptr, &out_, sizeof out_, nullptr, 0);
  }
  struct Counts {
    uint64_t own = 0;
    uint64_t shared = 0;
  };
  Counts count(aclrtBinHandle binary) {
    EXPECT_EQ(launch_count(function(binary, "count_calls")), ACL_SUCCESS) << why();
    EXPECT_EQ(aclrtSynchronizeStream(nullptr), ACL_SUCCESS);
    Counts counts;
    EXPECT_EQ(aclrtMemcpy(&counts, sizeof counts, out_, sizeof counts, ACL_MEMCPY_DEVICE_TO_HOST), ACL_SUCCESS);
    return counts;
  }

  void* out_ = nullptr;
};

TEST_F(Binary, LoadedTwiceHasTwoStates) {
  aclrtBinHandle first = load();
  aclrtBinHandle second = load();
  EXPECT_NE(first, second);
  EXPECT_EQ(count(first).own, 1u);
  EXPECT_EQ(count(first).own, 2u);
  EXPECT_EQ(count(second).own, 1u);
  EXPECT_EQ(count(first).own, 3u);
}

TEST_F(Binary, LoadedTwiceHasTwoStatesOfInlineVariablesToo) {
  aclrtBinHandle first = load();
  aclrtBinHandle second = load();
  EXPECT_EQ(count(first).shared, 1u);
  EXPECT_EQ(count(first).shared, 2u);
  EXPECT_EQ(count(second).shared, 1u);
}

size_t mappings_of_modules() {
  std::ifstream maps("/proc/self/maps");
  size_t found = 0;
  for (std::string line; std::getline(maps, line);) {
    found += line.find("canopy-module") != std::string::npos;
  }
  return found;
}

TEST_F(Binary, CanBeLoadedAndUnloadedManyTimesEachTimeAfresh) {
  size_t before = 0;
  for (int i = 0; i < 60; ++i) {
    if (i == 10) {
      before = mappings_of_modules();
    }
    aclrtBinHandle binary = load();
    ASSERT_EQ(count(binary).own, 1u) << "round " << i;
    ACL_OK(aclrtBinaryUnLoad(binary));
  }
  EXPECT_LE(mappings_of_modules(), before) << "unloaded binaries stay mapped";
}

TEST_F(Binary, AKernelHasOneHandle) {
  aclrtBinHandle binary = load();
  EXPECT_EQ(function(binary, "count_calls"), function(binary, "count_calls"));
  EXPECT_NE(function(binary, "count_calls"), function(binary, "add_up"));
}

TEST_F(Binary, AnUnknownNameIs100029) {
  aclrtBinHandle binary = load();
  aclrtFuncHandle handle = kInvented;
  for (const char* name : {"", "count", "count_calls2", "main"}) {
    ACL_CODE(ACL_ERROR_KERNEL_NOT_FOUND, aclrtBinaryGetFunction(binary, name, &handle)) << name;
  }
  EXPECT_EQ(handle, kInvented);
}

TEST_F(Binary, AFileThatIsNoBinaryIs107009) {
  aclrtBinHandle binary = kInvented;
  ACL_CODE(ACL_ERROR_RT_FILE_OPEN, aclrtBinaryLoadFromFile("/does/not/exist.so", nullptr, &binary));
  ACL_CODE(ACL_ERROR_RT_FILE_OPEN, aclrtBinaryLoadFromFile("/tmp", nullptr, &binary));
  const std::string text = write_scratch("text.so", "not an object");
  ACL_CODE(ACL_ERROR_RT_FILE_OPEN, aclrtBinaryLoadFromFile(text.c_str(), nullptr, &binary));
  const std::string empty = write_scratch("empty.so", "");
  ACL_CODE(ACL_ERROR_RT_FILE_OPEN, aclrtBinaryLoadFromFile(empty.c_str(), nullptr, &binary));
  ACL_CODE(ACL_ERROR_RT_FILE_OPEN, aclrtBinaryLoadFromFile("", nullptr, &binary));
  EXPECT_EQ(binary, kInvented);
}

TEST_F(Binary, ATruncatedBinaryIsAnErrorAndNoCrash) {
  std::ifstream file(TEST_KERNELS, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  for (size_t size : {size_t{64}, size_t{1000}, bytes.size() / 8}) {
    const std::string path = write_scratch("short.so", bytes.substr(0, size));
    aclrtBinHandle binary = nullptr;
    EXPECT_NE(aclrtBinaryLoadFromFile(path.c_str(), nullptr, &binary), ACL_SUCCESS) << size;
  }
}

TEST_F(Binary, WithoutKernelsIs507027) {
  aclrtBinHandle binary = nullptr;
  ACL_CODE(ACL_ERROR_RT_KERNEL_LOOKUP, aclrtBinaryLoadFromFile(TEST_NO_KERNELS, nullptr, &binary));
}

TEST_F(Binary, UnloadWaitsForQueuedTasks) {
  aclrtBinHandle binary = load();
  aclrtFuncHandle handle = function(binary, "count_calls");
  Gate gate;
  ACL_OK(gate.close(nullptr));
  for (int i = 0; i < 100; ++i) {
    ACL_OK(launch_count(handle));
  }
  std::jthread opener([&] { gate.open(); });
  ACL_OK(aclrtBinaryUnLoad(binary));
  ACL_OK(aclrtSynchronizeStream(nullptr));
  uint64_t calls = 0;
  ACL_OK(aclrtMemcpy(&calls, 8, out_, 8, ACL_MEMCPY_DEVICE_TO_HOST));
  EXPECT_EQ(calls, 100u);
}

TEST_F(Binary, AfterUnloadItsHandlesAre107017) {
  aclrtBinHandle binary = load();
  aclrtFuncHandle handle = function(binary, "count_calls");
  ACL_OK(aclrtBinaryUnLoad(binary));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, launch_count(handle));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtBinaryUnLoad(binary));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtBinaryGetFunction(binary, "count_calls", &handle));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtBinaryUnLoad(kInvented));
}

// What an unload waits for may itself need another thread that only now looks up a kernel.
TEST_F(Binary, AnUnloadThatWaitsDoesNotHoldUpLookUps) {
  aclrtBinHandle binary = load();
  aclrtBinHandle other = load();
  Gate gate;
  ACL_OK(gate.close(nullptr));
  std::atomic<bool> unloaded{false};
  std::jthread unloader([&] {
    EXPECT_EQ(aclrtBinaryUnLoad(binary), ACL_SUCCESS);
    unloaded.store(true);
  });
  std::jthread worker([&] {
    aclrtFuncHandle handle = nullptr;
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(aclrtBinaryGetFunction(other, "add_up", &handle), ACL_SUCCESS);
      std::this_thread::yield();
    }
    gate.open();
  });
  worker.join();
  unloader.join();
  EXPECT_TRUE(unloaded.load());
}

TEST_F(Binary, AnUnloadMayRunWhileOtherThreadsDestroyTheirStreams) {
  std::atomic<bool> done{false};
  std::jthread other([&] {
    ASSERT_EQ(aclrtSetDevice(0), ACL_SUCCESS);
    for (int i = 0; i < 500; ++i) {
      aclrtStream stream = nullptr;
      ASSERT_EQ(aclrtCreateStream(&stream), ACL_SUCCESS);
      ASSERT_EQ(aclrtLaunchHostFunc(stream, [](void*) {}, nullptr), ACL_SUCCESS);
      ASSERT_EQ(aclrtDestroyStream(stream), ACL_SUCCESS);
    }
    done.store(true);
  });
  while (!done.load()) {
    ACL_OK(aclrtBinaryUnLoad(load()));
  }
}

}  // namespace
}  // namespace canopy::test
