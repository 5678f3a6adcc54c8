// Device memory of one process in others, by keys: every order of closing, freeing and dying.
#include "tests/unit/api/gate.h"
#include "tests/unit/api/memory_station.h"

#include <cstring>
#include <set>
#include <thread>
#include <vector>

namespace canopy::test {
namespace {

constexpr size_t kBytes = size_t{4} << 20;
constexpr size_t kGranule = size_t{2} << 20;

class IpcMemoryTest : public AclTest {
 protected:
  void SetUp() override {
    AclTest::SetUp();
    memory_ = static_cast<std::byte*>(zeroed_memory(kBytes));
  }

  static std::string key_of(void* address, size_t bytes, uint64_t flags = ACL_RT_IPC_MEM_EXPORT_FLAG_DISABLE_PID_VALIDATION) {
    char key[65] = {};
    EXPECT_EQ(aclrtIpcMemGetExportKey(address, bytes, key, sizeof key, flags), ACL_SUCCESS) << why();
    return key;
  }
  // What `other` has exported of 4 MiB of its own.
  static std::string export_of(MemoryProcess& other, uint64_t flags = 1) {
    EXPECT_EQ(other.ask("malloc {}", kBytes), "0");
    const std::string answer = other.ask("export 0 {} {}", kBytes, flags);
    EXPECT_EQ(answer.substr(0, 2), "0 ");
    return answer.substr(2);
  }
  static std::byte* import(const std::string& key, uint64_t flags = 0) {
    void* there = nullptr;
    EXPECT_EQ(aclrtIpcMemImportByKey(&there, key.c_str(), flags), ACL_SUCCESS) << why();
    return static_cast<std::byte*>(there);
  }

  std::byte* memory_ = nullptr;
};

// ---- Keys.

TEST_F(IpcMemoryTest, KeysArePrintableShorterThan65AndNeverTheSame) {
  std::set<std::string> keys;
  for (int i = 0; i < 100; ++i) {
    const std::string key = key_of(memory_, kBytes);
    EXPECT_LT(key.size(), 65u);
    EXPECT_TRUE(std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c <= '~'; })) << key;
    keys.insert(key);
  }
  EXPECT_EQ(keys.size(), 100u);
}

TEST_F(IpcMemoryTest, ExportsThatCannotBeAre107000) {
  char key[65];
  const auto code = [&](void* at, size_t bytes, size_t room = sizeof key, uint64_t flags = 0) {
    return aclrtIpcMemGetExportKey(at, bytes, key, room, flags);
  };
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, code(memory_ + 64, 4096)) << "off the boundary of pages";
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, code(memory_, 0));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, code(memory_, kBytes + 4096)) << "past the end";
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, code(memory_ + 4096, kBytes)) << "past the end";
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, code(memory_, kBytes, 64)) << "no room for a key";
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, code(memory_, kBytes, sizeof key, 2)) << "no such flag";
  void* pinned = nullptr;
  ACL_OK(aclrtMallocHost(&pinned, kBytes));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, code(pinned, kBytes));
  void* managed = nullptr;
  ACL_OK(aclrtMemAllocManaged(&managed, kBytes, ACL_RT_MEM_ATTACH_GLOBAL));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, code(managed, kBytes));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, code(reinterpret_cast<void*>(0x1000), kBytes));
  ACL_OK(aclrtFree(memory_));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, code(memory_, kBytes)) << "freed";
  ACL_OK(aclrtFreeHost(pinned));
  ACL_OK(aclrtFree(managed));
}

TEST_F(IpcMemoryTest, WhatIsNoKeyOrIsNotOfThisProcessIs107000) {
  const std::string key = key_of(memory_, kBytes);
  void* there = nullptr;
  int32_t pid = 1;
  for (const std::string& text : {std::string(), std::string("key"), key + "0", std::string(500, 'a')}) {
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtIpcMemImportByKey(&there, text.c_str(), 0)) << text;
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtIpcMemClose(text.c_str())) << text;
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtIpcMemSetImportPid(text.c_str(), &pid, 1)) << text;
  }
  MemoryProcess other;
  const std::string others = export_of(other);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtIpcMemSetImportPid(others.c_str(), &pid, 1));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtIpcMemClose(others.c_str())) << "not imported";
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtIpcMemImportByKey(&there, others.c_str(), 2)) << "no such flag";
}

TEST_F(IpcMemoryTest, TheExporterMayNotImport) {
  const std::string key = key_of(memory_, kBytes);
  void* there = nullptr;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtIpcMemImportByKey(&there, key.c_str(), 0));
}

TEST_F(IpcMemoryTest, AGuessedKeyIs107017) {
  MemoryProcess other;
  std::string key = export_of(other);
  key.back() = key.back() == '0' ? '1' : '0';
  void* there = nullptr;
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtIpcMemImportByKey(&there, key.c_str(), 0));
}

// ---- Sharing.

TEST_F(IpcMemoryTest, BothProcessesHaveTheSameMemory) {
  MemoryProcess other;
  const std::string key = export_of(other);
  std::byte* there = import(key);
  ASSERT_NE(inode_at(there), 0u);
  EXPECT_EQ(other.ask("inode"), "0 " + std::to_string(inode_at(there)));
  ASSERT_EQ(other.ask("store 5 77"), "0");
  EXPECT_EQ(there[5], std::byte{77}) << "seen without any call in between";
  there[kBytes - 1] = std::byte{42};
  EXPECT_EQ(other.ask("load {}", kBytes - 1), "0 42");
  aclrtPtrAttributes attributes{};
  ACL_OK(aclrtPointerGetAttributes(there + 100, &attributes));
  EXPECT_EQ(attributes.location.type, ACL_MEM_LOCATION_TYPE_DEVICE);
  EXPECT_EQ(attributes.location.id, 0u);
  void* base = nullptr;
  size_t bytes = 0;
  ACL_OK(aclrtMemGetAddressRange(there + 100, &base, &bytes));
  EXPECT_EQ(base, there);
  EXPECT_EQ(bytes, kBytes);
  ACL_OK(aclrtMemcpy(memory_, kBytes, there, kBytes, ACL_MEMCPY_DEVICE_TO_DEVICE));
  EXPECT_EQ(memory_[5], std::byte{77});
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemcpy(memory_, kBytes, there + 1, kBytes, ACL_MEMCPY_DEVICE_TO_DEVICE));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtFree(there)) << "not ours to free";
  ACL_OK(aclrtIpcMemClose(key.c_str()));
}

TEST_F(IpcMemoryTest, AKeyOfAPartShowsThatPart) {
  MemoryProcess other;
  ASSERT_EQ(other.ask("malloc {}", kBytes), "0");
  ASSERT_EQ(other.ask("write {} 9", 3 * 4096 + 1), "0");
  const std::string key = other.ask("export {} 5000 1", 3 * 4096).substr(2);
  std::byte* there = import(key);
  EXPECT_EQ(there[1], std::byte{9});
  uint8_t out[6000] = {};
  ACL_OK(aclrtMemcpy(out, sizeof out, there, 5000, ACL_MEMCPY_DEVICE_TO_HOST));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemcpy(out, sizeof out, there, 5001, ACL_MEMCPY_DEVICE_TO_HOST));
  ACL_OK(aclrtIpcMemClose(key.c_str()));
}

TEST_F(IpcMemoryTest, ASmallAllocationLiesInASlabOfOthers) {
  MemoryProcess other;
  ASSERT_EQ(other.ask("malloc 65536"), "0");
  ASSERT_EQ(other.ask("malloc 65536"), "0");  // not the first cell
  ASSERT_EQ(other.ask("write 0 31"), "0");
  const std::string key = other.ask("export 0 65536 1").substr(2);
  std::byte* there = import(key);
  EXPECT_EQ(there[0], std::byte{31});
  ACL_OK(aclrtMemset(there, 65536, 32, 65536));
  EXPECT_EQ(other.ask("load 65535"), "0 32");
  ACL_OK(aclrtIpcMemClose(key.c_str()));
}

TEST_F(IpcMemoryTest, OnlyListedProcessesMayImportByDefault) {
  MemoryProcess other;
  const std::string key = export_of(other, ACL_RT_IPC_MEM_EXPORT_FLAG_DEFAULT);
  void* there = nullptr;
  ACL_CODE(ACL_ERROR_RT_NO_PERMISSION, aclrtIpcMemImportByKey(&there, key.c_str(), 0));
  EXPECT_EQ(other.ask("allow {} {}", key, ::getpid() + 1), "0");
  ACL_CODE(ACL_ERROR_RT_NO_PERMISSION, aclrtIpcMemImportByKey(&there, key.c_str(), 0));
  EXPECT_EQ(other.ask("allow {} {}", key, ::getpid()), "0");
  ACL_OK(aclrtIpcMemImportByKey(&there, key.c_str(), 0));
  ACL_OK(aclrtIpcMemClose(key.c_str()));
  EXPECT_EQ(other.ask("allow {} -5", key), std::to_string(ACL_ERROR_RT_PARAM_INVALID));
}

TEST_F(IpcMemoryTest, ListsOfNobodyAreRefused) {
  const std::string key = key_of(memory_, kBytes, 0);
  int32_t pids[] = {::getpid(), 0};
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtIpcMemSetImportPid(key.c_str(), pids, 0));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtIpcMemSetImportPid(key.c_str(), pids, 2));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtIpcMemSetImportPid(key.c_str(), nullptr, 1));
  for (const size_t many : {size_t{5'000'000}, size_t{1} << 62, SIZE_MAX / 4, SIZE_MAX}) {
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtIpcMemSetImportPid(key.c_str(), pids, many));
  }
  ACL_OK(aclrtIpcMemSetImportPid(key.c_str(), pids, 1));
  const std::string open_to_all = key_of(memory_, kBytes);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtIpcMemSetImportPid(open_to_all.c_str(), pids, 1)) << "there is no list";
}

TEST_F(IpcMemoryTest, ImportedTwiceItHasOneAddressAndIsClosedTwice) {
  MemoryProcess other;
  const std::string key = export_of(other);
  std::byte* there = import(key);
  EXPECT_EQ(import(key), there);
  ACL_OK(aclrtIpcMemClose(key.c_str()));
  ACL_OK(aclrtMemset(there, kBytes, 3, kBytes)) << "still there";
  ACL_OK(aclrtIpcMemClose(key.c_str()));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemset(there, kBytes, 4, kBytes)) << "closed for good";
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtIpcMemClose(key.c_str()));
  EXPECT_EQ(other.ask("load 1"), "0 3");
}

TEST_F(IpcMemoryTest, ThreadsThatRaceImportOneAddress) {
  MemoryProcess other;
  const std::string key = export_of(other);
  std::vector<std::byte*> seen(8);
  {
    std::vector<std::jthread> threads;
    for (std::byte*& mine : seen) {
      threads.emplace_back([&] {
        EXPECT_EQ(aclrtSetDevice(0), ACL_SUCCESS);
        mine = import(key);
      });
    }
  }
  EXPECT_EQ(std::set<std::byte*>(seen.begin(), seen.end()).size(), 1u);
  for (size_t i = 0; i < seen.size(); ++i) {
    ACL_OK(aclrtIpcMemClose(key.c_str()));
  }
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtIpcMemClose(key.c_str()));
}

// ---- Devices.

TEST_F(IpcMemoryTest, FromAnotherDeviceCopiesNeedPeerAccess) {
  MemoryProcess other(kNear);
  const std::string key = export_of(other);
  ASSERT_EQ(other.ask("write 0 55"), "0");
  std::byte* there = import(key);
  aclrtPtrAttributes attributes{};
  ACL_OK(aclrtPointerGetAttributes(there, &attributes));
  EXPECT_EQ(attributes.location.id, static_cast<uint32_t>(kNear)) << "the owner's device";
  ACL_CODE(ACL_ERROR_RT_NO_PERMISSION, aclrtMemcpy(memory_, kBytes, there, kBytes, ACL_MEMCPY_DEVICE_TO_DEVICE));
  ACL_OK(aclrtDeviceEnablePeerAccess(kNear, 0));
  ACL_OK(aclrtMemcpy(memory_, kBytes, there, kBytes, ACL_MEMCPY_DEVICE_TO_DEVICE));
  EXPECT_EQ(memory_[0], std::byte{55});
  ACL_OK(aclrtIpcMemClose(key.c_str()));
}

TEST_F(IpcMemoryTest, TheImportEnablesPeerAccessWhenAsked) {
  MemoryProcess other(kNear);
  const std::string key = export_of(other);
  std::byte* there = import(key, ACL_RT_IPC_MEM_IMPORT_FLAG_ENABLE_PEER_ACCESS);
  int32_t status = 0;
  ACL_OK(aclrtDevicePeerAccessStatus(0, kNear, &status));
  EXPECT_EQ(status, 1);
  ACL_OK(aclrtMemcpy(memory_, kBytes, there, kBytes, ACL_MEMCPY_DEVICE_TO_DEVICE));
  ACL_OK(aclrtIpcMemClose(key.c_str()));
}

TEST_F(IpcMemoryTest, ARefusedLinkIs207000) {
  MemoryProcess other(kUnreachable);
  const std::string key = export_of(other);
  void* there = nullptr;
  for (const uint64_t flags : {0, 1}) {
    ACL_CODE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, aclrtIpcMemImportByKey(&there, key.c_str(), flags));
  }
}

TEST_F(IpcMemoryTest, ADeviceThatThisProcessDoesNotSeeIs107001) {
  const std::string key = key_of(memory_, kBytes);
  MemoryProcess blind(0, {{"ASCEND_RT_VISIBLE_DEVICES", "1,2"}});
  EXPECT_EQ(blind.ask("import {} 0", key), std::to_string(ACL_ERROR_RT_INVALID_DEVICEID));
  MemoryProcess renumbered(0, {{"ASCEND_RT_VISIBLE_DEVICES", "1,0"}});
  EXPECT_EQ(renumbered.ask("import {} 1", key), "0") << "its device 1";
  ACL_OK(aclrtMemset(memory_, kBytes, 8, kBytes));
  EXPECT_EQ(renumbered.ask("pull 0 4096"), "0 8");
}

// ---- Ends.

TEST_F(IpcMemoryTest, TheExportersCloseStopsNewImportsOnly) {
  MemoryProcess other;
  MemoryProcess third;
  const std::string key = export_of(other);
  std::byte* there = import(key);
  EXPECT_EQ(other.ask("close {}", key), "0");
  EXPECT_EQ(third.ask("import {} 0", key), std::to_string(ACL_ERROR_RT_INVALID_HANDLE));
  EXPECT_EQ(other.ask("close {}", key), std::to_string(ACL_ERROR_RT_PARAM_INVALID)) << "a second time";
  EXPECT_EQ(import(key), there) << "who has it may import it once more";
  ACL_OK(aclrtIpcMemClose(key.c_str()));
  ASSERT_EQ(other.ask("store 0 12"), "0");
  EXPECT_EQ(there[0], std::byte{12});
  ACL_OK(aclrtIpcMemClose(key.c_str()));
}

TEST_F(IpcMemoryTest, MemoryFreedByItsExporterLivesAndCountsUntilTheLastImporterHasClosedIt) {
  MemoryProcess other;
  MemoryProcess third;
  const uint64_t before = used_bytes();
  const std::string key = export_of(other);
  const uint64_t after = used_bytes();
  EXPECT_GE(after, before + kBytes);
  std::byte* there = import(key);
  EXPECT_EQ(used_bytes(), after) << "an import counts nothing";
  ASSERT_EQ(other.ask("free"), "0");
  EXPECT_EQ(third.ask("import {} 0", key), std::to_string(ACL_ERROR_RT_INVALID_HANDLE)) << "freed";
  EXPECT_EQ(used_bytes(), after) << "in use by the importer";
  ACL_OK(aclrtMemset(there, kBytes, 1, kBytes));
  ACL_OK(aclrtIpcMemClose(key.c_str()));
  EXPECT_TRUE(soon([&] { return used_bytes() == before; })) << used_bytes() << " instead of " << before;
  EXPECT_EQ(other.ask("close {}", key), "0") << "its own end of the key";
}

TEST_F(IpcMemoryTest, AnImporterThatDiesGivesTheMemoryBack) {
  const std::string key = key_of(memory_, kBytes);
  const uint64_t before = used_bytes();
  MemoryProcess other;
  ASSERT_EQ(other.ask("import {} 0", key), "0");
  ASSERT_EQ(other.ask("store 7 7"), "0");
  other.process.kill();
  EXPECT_EQ(memory_[7], std::byte{7});
  ACL_OK(aclrtFree(memory_));
  EXPECT_TRUE(soon([&] { return used_bytes() + kBytes <= before; }));
  ACL_OK(aclrtIpcMemClose(key.c_str()));
}

TEST_F(IpcMemoryTest, MemoryOfADeadExporterIs507899AndCanBeClosed) {
  MemoryProcess other;
  const std::string key = export_of(other);
  std::byte* there = import(key);
  Gate gate;
  aclrtStream stream = make_stream();
  ACL_OK(gate.close(stream));
  ACL_OK(aclrtMemcpyAsync(memory_, kBytes, there, kBytes, ACL_MEMCPY_DEVICE_TO_DEVICE, stream));
  other.process.kill();
  const auto copy = [&] { return aclrtMemcpy(memory_, kBytes, there, kBytes, ACL_MEMCPY_DEVICE_TO_DEVICE); };
  EXPECT_TRUE(soon([&] { return copy() != ACL_SUCCESS; }));
  ACL_CODE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, copy());
  EXPECT_NE(std::string(why()).find("gone"), std::string::npos) << why();
  gate.open();
  ACL_CODE(ACL_ERROR_RT_SYS_DMA, aclrtSynchronizeStream(stream)) << "the copy in the queue";
  volatile std::byte first = there[0];  // the pages stay until it is closed: kernels do not fault
  (void)first;
  void* again = nullptr;
  ACL_CODE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, aclrtIpcMemImportByKey(&again, key.c_str(), 0)) << "also for who has it";
  ACL_OK(aclrtIpcMemClose(key.c_str()));
  ACL_CODE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, aclrtIpcMemImportByKey(&again, key.c_str(), 0));
  MemoryProcess third;  // in the dead one's place in the host table
  EXPECT_EQ(third.ask("import {} 0", key), std::to_string(ACL_ERROR_RT_INVALID_HANDLE));
}

// A copy that needs pageable memory waits for its stream, and meanwhile the exporter dies.
TEST_F(IpcMemoryTest, MemoryOfAnExporterThatDiesWhileACopyWaitsIs507899) {
  MemoryProcess other;
  const std::string key = export_of(other);
  std::byte* there = import(key);
  std::vector<std::byte> mine(kBytes);
  Gate gate;
  aclrtStream stream = make_stream();
  ACL_OK(gate.close(stream));
  std::thread killer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // likely behind the copy's first look; else it is its first
    other.process.kill();
    EXPECT_TRUE(soon([&] {
      return aclrtSetDevice(0) == ACL_SUCCESS &&
             aclrtMemcpy(memory_, 1, there, 1, ACL_MEMCPY_DEVICE_TO_DEVICE) == ACL_ERROR_RT_DRV_INTERNAL_ERROR;
    }));
    gate.open();
  });
  ACL_CODE(ACL_ERROR_RT_DRV_INTERNAL_ERROR, aclrtMemcpyAsync(mine.data(), kBytes, there, kBytes, ACL_MEMCPY_DEVICE_TO_HOST, stream));
  killer.join();
  ACL_OK(aclrtSynchronizeStream(stream));
  ACL_OK(aclrtIpcMemClose(key.c_str()));
}

TEST_F(IpcMemoryTest, ManyKeysOfFreedMemoryCostNoSearch) {
  constexpr int kKeys = 30'000;  // seconds if each free looked at all of them
  std::string last;
  for (int i = 0; i < kKeys; ++i) {
    void* memory = nullptr;
    ACL_OK(aclrtMalloc(&memory, kGranule, ACL_MEM_MALLOC_HUGE_FIRST));
    last = key_of(memory, kGranule);
    ACL_OK(aclrtFree(memory));
  }
  int32_t pid = ::getpid();
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtIpcMemSetImportPid(last.c_str(), &pid, 1)) << "freed";
  ACL_OK(aclrtIpcMemClose(last.c_str()));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtIpcMemClose(last.c_str())) << "closed";
  for (int round = 0; round < 2; ++round) {  // closed before it is freed, and two keys of one allocation
    const std::string first = key_of(memory_, kBytes);
    const std::string second = key_of(memory_, kGranule);
    ACL_OK(aclrtIpcMemClose(first.c_str()));
    ACL_OK(aclrtIpcMemClose(second.c_str()));
  }
}

// Once, however many hold it and in whatever order they let go or die.
TEST_F(IpcMemoryTest, MemoryOfADeadExporterCountsUntilTheLastImporterIsGone) {
  for (int round = 0; round < 6; ++round) {
    MemoryProcess second;
    MemoryProcess third;
    const uint64_t before = used_bytes();
    const auto counts = [&](uint64_t bytes) { return soon([&] { return used_bytes() == before + bytes; }); };
    std::vector<std::string> keys;
    uint64_t held = 0;
    {
      MemoryProcess other;
      keys.push_back(export_of(other));
      keys.push_back(other.ask("export 0 {} 1", 4096).substr(2));  // the same memory once more
      import(keys[0]);
      import(keys[1]);
      ASSERT_EQ(second.ask("import {} 0", keys[0]), "0");
      ASSERT_EQ(third.ask("import {} 0", keys[1]), "0");
      held = used_bytes() - before;
      EXPECT_GE(held, kBytes);
    }  // killed
    EXPECT_TRUE(counts(held)) << used_bytes() - before;
    ACL_OK(aclrtIpcMemClose(keys[0].c_str()));
    switch (round % 3) {  // whoever counts it, the others take it over
      case 0: second.process.kill(); break;
      case 1: third.process.kill(); break;
      default: ACL_OK(aclrtIpcMemClose(keys[1].c_str()));
    }
    EXPECT_TRUE(counts(held)) << used_bytes() - before;
    if (round % 3 == 2) {
      second.process.kill();
    } else {
      ACL_OK(aclrtIpcMemClose(keys[1].c_str()));
    }
    EXPECT_TRUE(counts(held)) << used_bytes() - before;
    if (round % 3 == 0) {
      EXPECT_EQ(third.ask("close {}", keys[1]), "0");
    } else if (round % 3 == 1) {
      EXPECT_EQ(second.ask("close {}", keys[0]), "0");
    } else {
      third.process.kill();
    }
    EXPECT_TRUE(counts(0)) << used_bytes() - before;
  }
}

TEST_F(IpcMemoryTest, ResettingTheDeviceEndsWhatWasSharedByIt) {
  MemoryProcess other;
  const std::string others = export_of(other);
  std::byte* there = import(others);
  const std::string key = key_of(memory_, kBytes);
  ACL_OK(aclrtResetDevice(0));
  EXPECT_EQ(other.ask("import {} 0", key), std::to_string(ACL_ERROR_RT_INVALID_HANDLE));
  ACL_OK(aclrtSetDevice(0));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtIpcMemClose(others.c_str()));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtMemset(there, kBytes, 1, kBytes));
}

TEST_F(IpcMemoryTest, AThousandRoundsLeaveNothingOnEitherSide) {
  MemoryProcess other;
  ASSERT_EQ(other.ask("malloc {}", kBytes), "0");
  size_t fds = 0;
  size_t maps = 0;
  std::string others_fds;
  for (int round = 0; round < 1000; ++round) {
    const std::string key = other.ask("export 0 {} 1", kBytes).substr(2);
    import(key);
    ACL_OK(aclrtIpcMemClose(key.c_str()));
    ASSERT_EQ(other.ask("close {}", key), "0");
    if (round == 10) {
      fds = descriptors();
      maps = mappings();
      others_fds = other.ask("fds");
    }
  }
  EXPECT_EQ(descriptors(), fds);
  EXPECT_EQ(other.ask("fds"), others_fds);
  EXPECT_LE(mappings(), maps + 2);
}

TEST_F(IpcMemoryTest, ExportsAndImportsTakeNoDescriptors) {
  MemoryProcess other;
  ASSERT_EQ(other.ask("malloc {}", kBytes), "0");
  const std::string key = other.ask("export 0 4096 1").substr(2);
  import(key);
  const size_t mine = descriptors();
  const std::string others = other.ask("fds");
  for (int i = 0; i < 100; ++i) {
    import(other.ask("export {} 4096 1", i * 4096).substr(2));
  }
  EXPECT_EQ(descriptors(), mine);
  EXPECT_EQ(other.ask("fds"), others);
}

// ---- Other hosts, links.

TEST_F(IpcMemoryTest, OtherHostsAre207000) {
  const std::string key = key_of(memory_, kBytes);
  int32_t pid = 1;
  aclrtServerPid server{0, &pid, 1};
  ACL_CODE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, aclrtIpcMemImportPidInterServer(key.c_str(), &server, 1));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtIpcMemImportPidInterServer("key", &server, 1));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtIpcMemImportPidInterServer(key.c_str(), nullptr, 1));
}

TEST_F(IpcMemoryTest, TheLinkIsAWish) {
  const std::string key = key_of(memory_, kBytes);
  ACL_OK(aclrtIpcMemSetAttr(key.c_str(), ACL_RT_IPC_MEM_ATTR_ACCESS_LINK, ACL_RT_IPC_MEM_ATTR_ACCESS_LINK_SIO));
  ACL_OK(aclrtIpcMemSetAttr(key.c_str(), ACL_RT_IPC_MEM_ATTR_ACCESS_LINK, ACL_RT_IPC_MEM_ATTR_ACCESS_LINK_HCCS));
  ACL_CODE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, aclrtIpcMemSetAttr(key.c_str(), ACL_RT_IPC_MEM_ATTR_ACCESS_LINK, 2));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtIpcMemSetAttr(key.c_str(), ACL_RT_IPC_MEM_ATTR_ACCESS_LINK, 4));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtIpcMemSetAttr(key.c_str(), static_cast<aclrtIpcMemAttrType>(1), 0));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtIpcMemSetAttr("key", ACL_RT_IPC_MEM_ATTR_ACCESS_LINK, 0));
}

TEST_F(IpcMemoryTest, NullIs100000) {
  char key[65];
  void* there = nullptr;
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtIpcMemGetExportKey(nullptr, 1, key, 65, 0));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtIpcMemGetExportKey(memory_, 1, nullptr, 65, 0));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtIpcMemImportByKey(nullptr, key, 0));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtIpcMemImportByKey(&there, nullptr, 0));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtIpcMemClose(nullptr));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtIpcMemSetAttr(nullptr, ACL_RT_IPC_MEM_ATTR_ACCESS_LINK, 0));
}

}  // namespace
}  // namespace canopy::test
