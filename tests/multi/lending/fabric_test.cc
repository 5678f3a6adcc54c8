// Handles of kind FABRIC in a job: fabric_test PES_PER_HOST [CASE...]. PE 0 lends, all others
// borrow: those of its host map the memory, those of other hosts copy.
#include "acl/acl.h"
#include "canopy/kernel.h"
#include "shmem.h"
#include "tests/support/process_figures.h"

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <unistd.h>

namespace {

using canopy::test::mapped_ranges;
using canopy::test::memory_kib;
using canopy::test::open_files;

constexpr size_t kBytes = size_t{4} << 20;
constexpr aclError kStale = 107017;  // not, or not any longer, an object
constexpr uint64_t kAnybody = ACL_RT_VMM_EXPORT_FLAG_DISABLE_PID_VALIDATION;

int failures = 0;
int me = 0;
int n = 0;
bool far = false;                     // from PE 0's memory
aclrtMemFabricHandle* box = nullptr;  // of every PE, symmetric

std::string why() {
  const char* text = aclGetRecentErrMsg();
  return text != nullptr ? text : "";
}

void expect(bool holds, const std::string& what) {
  if (!holds) {
    ++failures;
    std::fprintf(stderr, "PE %d: fails: %s\n", me, what.c_str());
  }
}
void expect_code(aclError code, aclError wanted, const std::string& what,
                 const char* sentence = "") {
  const std::string text = why();
  if (code != wanted || text.find(sentence) == std::string::npos) {
    expect(false, what + ": code " + std::to_string(code) + ", not " + std::to_string(wanted) +
                      " with '" + sentence + "': " + text);
  }
}
void ok(aclError code, const std::string& what) { expect_code(code, ACL_SUCCESS, what); }

#define OK(call) ok(call, #call)

// ---- Both sides.

aclrtDrvMemHandle physical(size_t bytes = kBytes) {
  aclrtPhysicalMemProp prop{};
  prop.handleType = ACL_MEM_HANDLE_TYPE_NONE;
  prop.allocationType = ACL_MEM_ALLOCATION_TYPE_PINNED;
  prop.memAttr = ACL_HBM_MEM_HUGE;
  prop.location.type = ACL_MEM_LOCATION_TYPE_DEVICE;
  prop.location.id = 0;
  aclrtDrvMemHandle handle = nullptr;
  OK(aclrtMallocPhysical(&handle, bytes, &prop, 0));
  return handle;
}
uint8_t* map(aclrtDrvMemHandle handle, size_t bytes = kBytes) {
  void* at = nullptr;
  OK(aclrtReserveMemAddress(&at, bytes, 0, nullptr, 1));
  OK(aclrtMapMem(at, bytes, 0, handle, 0));
  return static_cast<uint8_t*>(at);
}
void unmap(void* at) {
  OK(aclrtUnmapMem(at));
  OK(aclrtReleaseMemAddress(at));
}
aclError import(const aclrtMemFabricHandle& fabric, aclrtDrvMemHandle* handle) {
  aclrtMemFabricHandle copy = fabric;
  return aclrtMemImportFromShareableHandleV2(&copy, ACL_MEM_SHARE_HANDLE_TYPE_FABRIC, 0, handle);
}
void share(aclrtDrvMemHandle handle, uint64_t flags = kAnybody, int slot = 0) {
  OK(aclrtMemExportToShareableHandleV2(handle, flags, ACL_MEM_SHARE_HANDLE_TYPE_FABRIC,
                                       &box[slot]));
  for (int pe = 1; pe < n; ++pe) {
    shmem_putmem(&box[slot], &box[slot], sizeof box[slot], pe);
  }
}
std::vector<uint8_t> bytes_of(uint8_t first, size_t count = kBytes) {
  std::vector<uint8_t> bytes(count);
  for (size_t i = 0; i < count; ++i) {
    bytes[i] = static_cast<uint8_t>(first + i * 7 + i / 4096);
  }
  return bytes;
}
aclError put(void* to, const std::vector<uint8_t>& from) {
  return aclrtMemcpy(to, from.size(), from.data(), from.size(), ACL_MEMCPY_HOST_TO_DEVICE);
}
aclError get(std::vector<uint8_t>& to, const void* from) {
  return aclrtMemcpy(to.data(), to.size(), from, to.size(), ACL_MEMCPY_DEVICE_TO_HOST);
}

// ---- Cases.

// Copies of every kind, in both directions; each borrower in its turn.
void copies() {
  aclrtDrvMemHandle handle = nullptr;
  uint8_t* at = nullptr;
  if (me == 0) {
    handle = physical();
    at = map(handle);
    OK(put(at, bytes_of(1)));
    share(handle);
  }
  shmem_barrier_all();
  if (me != 0) {
    OK(import(*box, &handle));
    at = map(handle);
    OK(aclrtFreePhysical(handle));
  }
  std::vector<uint8_t> back(kBytes);
  aclrtStream stream = nullptr;
  OK(aclrtCreateStream(&stream));
  void* mine = nullptr;
  OK(aclrtMalloc(&mine, kBytes, ACL_MEM_MALLOC_HUGE_FIRST));
  for (int pe = 1; pe < n; ++pe) {
    const auto first = static_cast<uint8_t>(10 * pe);
    if (me == pe) {
      OK(get(back, at));
      expect(back == bytes_of(static_cast<uint8_t>(pe == 1 ? 1 : 10 * (pe - 1) + 1)),
             "what the last one left is read");
      OK(put(at, bytes_of(first)));
      OK(get(back, at));
      expect(back == bytes_of(first), "what was written is read");
    }
    shmem_barrier_all();
    if (me == 0) {
      OK(get(back, at));
      expect(back == bytes_of(first), "the lender sees what was written");
    }
    shmem_barrier_all();
    if (me == pe) {
      // In a stream, from and to memory of our device, with odd ends.
      OK(put(mine, bytes_of(static_cast<uint8_t>(first + 1))));
      OK(aclrtMemcpyAsync(at, kBytes, mine, kBytes, ACL_MEMCPY_DEVICE_TO_DEVICE, stream));
      OK(aclrtMemsetAsync(mine, kBytes, 0, kBytes, stream));
      OK(aclrtMemcpyAsync(static_cast<uint8_t*>(mine) + 3, 999, at + 5, 999,
                          ACL_MEMCPY_DEVICE_TO_DEVICE, stream));
      OK(aclrtSynchronizeStream(stream));
      std::vector<uint8_t> part(999);
      OK(get(part, static_cast<uint8_t*>(mine) + 3));
      const auto all = bytes_of(static_cast<uint8_t>(first + 1));
      expect(std::memcmp(part.data(), all.data() + 5, part.size()) == 0,
             "copies in a stream move the bytes");
    }
    shmem_barrier_all();
  }
  const aclError set = me == 0 ? ACL_SUCCESS : aclrtMemset(at, kBytes, 0, 64);
  expect_code(set, far ? ACL_ERROR_RT_FEATURE_NOT_SUPPORT : ACL_SUCCESS, "memset",
              far ? "another host" : "");
  OK(aclrtFree(mine));
  OK(aclrtDestroyStream(stream));
  unmap(at);
  shmem_barrier_all();
  if (me == 0) {
    OK(aclrtFreePhysical(handle));
  }
}

// Who frees, closes and imports in which order.
void orders() {
  aclrtDrvMemHandle handle = nullptr;
  uint8_t* at = nullptr;
  const auto written = bytes_of(77, 4096);
  if (me == 0) {
    handle = physical();
    at = map(handle);
    OK(put(at, written));
    share(handle);
  }
  shmem_barrier_all();
  aclrtDrvMemHandle twice[2] = {};
  std::vector<uint8_t> back(4096);
  if (me != 0) {  // twice, and the first goes before the second
    OK(import(*box, &twice[0]));
    OK(import(*box, &twice[1]));
    at = map(twice[0]);
    OK(aclrtFreePhysical(twice[0]));
    unmap(at);
    at = map(twice[1]);
    OK(get(back, at));
    expect(back == written, "the second import outlives the first");
    unmap(at);
    OK(aclrtFreePhysical(twice[1]));
    OK(import(*box, &twice[0]));  // and once more after all have gone
    at = map(twice[0]);
    OK(get(back, at));
    expect(back == written, "an import after the last one was closed");
  }
  shmem_barrier_all();
  if (me == 0) {  // the lender lets go first
    unmap(at);
    OK(aclrtFreePhysical(handle));
  }
  shmem_barrier_all();
  if (me != 0) {
    std::fill(back.begin(), back.end(), uint8_t{0});
    OK(get(back, at));
    expect(back == written, "memory on loan stays when its process has freed it");
    aclrtDrvMemHandle late = nullptr;
    if (far) {
      expect_code(import(*box, &late), kStale, "nobody imports what was freed",
                  "has freed that memory");
    } else {
      expect(import(*box, &late) != ACL_SUCCESS, "nobody imports what was freed");
    }
    unmap(at);
    OK(aclrtFreePhysical(twice[0]));
    expect(import(*box, &late) != ACL_SUCCESS, "nor when the last loan is given back");
  }
  shmem_barrier_all();
}

// Handles that are none.
void mistakes() {
  aclrtDrvMemHandle handle = nullptr;
  aclrtDrvMemHandle listed = nullptr;
  if (me == 0) {
    handle = physical();
    share(handle);
    listed = physical();
    share(listed, ACL_RT_VMM_EXPORT_FLAG_DEFAULT, 1);
  }
  shmem_barrier_all();
  if (far) {
    aclrtDrvMemHandle got = nullptr;
    constexpr size_t kWhere = 64;  // fabric_handle.h, loan.h
    const auto with = [&](size_t byte, uint8_t flip) {
      aclrtMemFabricHandle changed = *box;
      changed.data[byte] ^= flip;
      return changed;
    };
    expect_code(import(with(kWhere, 1), &got), ACL_ERROR_RT_FEATURE_NOT_SUPPORT, "another job's",
                "another job");
    expect_code(import(with(kWhere + 8, 0x40), &got), ACL_ERROR_RT_PARAM_INVALID,
                "a PE that is none", "names PE");
    expect_code(import(with(kWhere + 16, 0x70), &got), kStale, "a number that is none", "share");
    expect_code(import(with(kWhere + 24, 1), &got), kStale, "a wrong secret", "share");
    expect_code(import(with(48 + 2, 0x20), &got), ACL_ERROR_RT_PARAM_INVALID, "a wrong size",
                "bytes");
    expect_code(import(box[1], &got), ACL_ERROR_RT_FEATURE_NOT_SUPPORT, "one with a list",
                "list of processes");
    uint64_t seed = 88172645463325252u + static_cast<uint64_t>(me);
    for (int round = 0; round < 2000; ++round) {
      aclrtMemFabricHandle random = *box;
      for (int changes = 0; changes < 4; ++changes) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        random.data[8 + seed % 100] ^= static_cast<uint8_t>(seed >> 32);
      }
      if (std::memcmp(&random, box, 104) != 0 && import(random, &got) == ACL_SUCCESS) {
        // Only what says nothing to another host was changed: the id, the device, the table's
        // number.
        OK(aclrtFreePhysical(got));
      }
    }
    OK(import(*box, &got));  // and the right one still does
    OK(aclrtFreePhysical(got));
  }
  shmem_barrier_all();
  if (me == 0) {
    OK(aclrtFreePhysical(handle));
    OK(aclrtFreePhysical(listed));
  }
}

__global__ __aicore__ void load(GM_ADDR from, GM_ADDR to) { *to = *from; }
CANOPY_KERNEL(load)

// Nothing but copies reaches it; to be the last, because a device does not get over a fault.
void fault() {
  aclrtDrvMemHandle handle = nullptr;
  if (me == 0) {
    handle = physical();
    share(handle);
  }
  shmem_barrier_all();
  if (me != 0) {
    OK(import(*box, &handle));
    uint8_t* at = map(handle);
    void* mine = nullptr;
    aclrtStream stream = nullptr;
    OK(aclrtMalloc(&mine, 4096, ACL_MEM_MALLOC_HUGE_FIRST));
    OK(aclrtCreateStream(&stream));
    OK(canopy::launch(load, 1, stream, static_cast<GM_ADDR>(at + 4096),
                      static_cast<GM_ADDR>(mine)));
    const aclError code = aclrtSynchronizeStream(stream);
    const std::string text = why();
    expect((code != ACL_SUCCESS) == far, "a kernel's load: code " + std::to_string(code));
    expect(!far || text.find("memory of another host") != std::string::npos,
           "the fault says why: " + text);
  }
  shmem_barrier_all();
}

// Many at once: threads that copy while others import and close.
void threads() {
  constexpr int kThreads = 4;
  const int rounds = 100;
  aclrtDrvMemHandle handle = nullptr;
  if (me == 0) {
    handle = physical();
    share(handle);
  }
  shmem_barrier_all();
  if (me != 0) {
    std::vector<std::thread> all;
    std::atomic<int> wrong{0};
    for (int t = 0; t < kThreads; ++t) {
      all.emplace_back([&, t] {
        wrong += aclrtSetDevice(0) != ACL_SUCCESS;
        const size_t part = kBytes / static_cast<size_t>(kThreads * n);
        const size_t from = part * static_cast<size_t>(me * kThreads + t);
        for (int round = 0; round < rounds; ++round) {
          aclrtDrvMemHandle got = nullptr;
          void* at = nullptr;
          std::vector<uint8_t> back(part);
          const auto mine = bytes_of(static_cast<uint8_t>(round + t), part);
          const bool good = import(*box, &got) == ACL_SUCCESS &&
                            aclrtReserveMemAddress(&at, kBytes, 0, nullptr, 1) == ACL_SUCCESS &&
                            aclrtMapMem(at, kBytes, 0, got, 0) == ACL_SUCCESS &&
                            put(static_cast<uint8_t*>(at) + from, mine) == ACL_SUCCESS &&
                            get(back, static_cast<uint8_t*>(at) + from) == ACL_SUCCESS &&
                            back == mine && aclrtUnmapMem(at) == ACL_SUCCESS &&
                            aclrtReleaseMemAddress(at) == ACL_SUCCESS &&
                            aclrtFreePhysical(got) == ACL_SUCCESS;
          wrong += good ? 0 : 1;
        }
      });
    }
    for (auto& each : all) {
      each.join();
    }
    expect(wrong == 0, std::to_string(wrong) + " rounds of threads went wrong: " + why());
  }
  shmem_barrier_all();
  if (me == 0) {
    OK(aclrtFreePhysical(handle));
  }
}

struct Figures {
  size_t files = open_files();
  size_t maps = mapped_ranges();
  size_t kib = memory_kib();

  bool as_few_as(const Figures& before) const {
    return files <= before.files + 2 && maps <= before.maps + 8 && kib <= before.kib + 8192;
  }
  std::string text() const {
    return std::to_string(files) + " open files, " + std::to_string(maps) + " mapped ranges, " +
           std::to_string(kib) + " KiB";
  }
};

// CANOPY_TEST_ROUNDS rounds of export, import, copy, close and free leave nothing behind.
void rounds() {
  const char* wish = std::getenv("CANOPY_TEST_ROUNDS");
  const int all = wish != nullptr ? std::atoi(wish) : 500;
  constexpr int kBatch = 20;
  Figures before;
  for (int round = 0; round < all; round += kBatch) {
    std::array<aclrtDrvMemHandle, kBatch> handles{};
    if (me == 0) {
      for (int i = 0; i < kBatch; ++i) {
        handles[static_cast<size_t>(i)] = physical(size_t{2} << 20);
        share(handles[static_cast<size_t>(i)], kAnybody, i);
      }
    }
    shmem_barrier_all();
    for (int i = 0; i < kBatch && me != 0; ++i) {
      OK(import(box[i], &handles[static_cast<size_t>(i)]));
      uint8_t* at = map(handles[static_cast<size_t>(i)], size_t{2} << 20);
      OK(put(at + 8 * me, bytes_of(static_cast<uint8_t>(round), 8)));
      unmap(at);
    }
    // In turn: the borrowers let go first, or the lender does.
    const bool lender_first = round / kBatch % 2 == 0;
    for (const bool lender_lets_go : {lender_first, !lender_first}) {
      shmem_barrier_all();
      for (const aclrtDrvMemHandle handle : handles) {
        if ((me == 0) == lender_lets_go) {
          OK(aclrtFreePhysical(handle));
        }
      }
    }
    shmem_barrier_all();
    if (round < 2 * kBatch) {
      before = Figures();
    }
  }
  // On one host the lender hears a little later that the last borrower has let go.
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  Figures after;
  while (!after.as_few_as(before) && std::chrono::steady_clock::now() < give_up) {
    std::this_thread::yield();
    after = Figures();
  }
  expect(after.as_few_as(before), "from " + before.text() + " it grew to " + after.text());
  shmem_barrier_all();
}

// Leaves with memory on loan: copies say that the job is left.
void leave() {
  aclrtDrvMemHandle handle = nullptr;
  uint8_t* at = nullptr;
  if (me == 0) {
    handle = physical();
    share(handle);
  }
  shmem_barrier_all();
  aclrtMemFabricHandle kept = *box;
  if (me != 0) {
    OK(import(*box, &handle));
    at = map(handle);
  }
  shmem_finalize();
  if (far) {
    aclrtDrvMemHandle late = nullptr;
    std::vector<uint8_t> back(64);
    expect_code(get(back, at), ACL_ERROR_RT_DRV_INTERNAL_ERROR, "a copy after finalize",
                "left its job");
    expect_code(import(kept, &late), ACL_ERROR_RT_FEATURE_NOT_SUPPORT, "an import after finalize",
                "initialise SHMEM");
    unmap(at);
  }
  OK(aclrtFreePhysical(handle));
}

// PE 0 is killed while all others copy. Nobody returns.
void killed() {
  aclrtDrvMemHandle handle = nullptr;
  if (me == 0) {
    handle = physical();
    share(handle);
  }
  shmem_barrier_all();
  if (me != 0) {
    OK(import(*box, &handle));
    uint8_t* at = map(handle);
    std::vector<uint8_t> some = bytes_of(3);
    shmem_barrier_all();
    for (;;) {  // ends with the job
      (void)put(at, some);
      (void)get(some, at);
    }
  }
  shmem_barrier_all();
  std::raise(SIGKILL);
}

struct Case {
  const char* name;
  void (*run)();
};
constexpr Case kCases[] = {{"copies", copies}, {"orders", orders},   {"mistakes", mistakes},
                           {"rounds", rounds}, {"threads", threads}, {"fault", fault},
                           {"killed", killed}, {"leave", leave}};

}  // namespace

int main(int argc, char** argv) {
  const int per_host = argc > 1 ? std::atoi(argv[1]) : 0;
  if (per_host < 1 || aclInit(nullptr) != ACL_SUCCESS || aclrtSetDevice(0) != ACL_SUCCESS) {
    return 2;
  }
  shmem_init();
  me = shmem_my_pe();
  n = shmem_n_pes();
  far = me / per_host != 0;
  box = static_cast<aclrtMemFabricHandle*>(shmem_malloc(64 * sizeof *box));
  bool left = false;
  for (const Case& each : kCases) {
    bool wanted = argc == 2 && std::string_view(each.name) != "killed";
    for (int i = 2; i < argc; ++i) {
      wanted |= std::string_view(argv[i]) == each.name;
    }
    if (wanted) {
      each.run();
      left |= each.run == leave;
    }
  }
  if (!left) {
    shmem_finalize();
  }
  if (failures == 0 && me == 0) {
    std::printf("PASS: memory of other hosts, %d PEs\n", n);
  }
  return failures == 0 ? 0 : 1;
}
