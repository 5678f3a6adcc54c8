// One of several programs that share device memory, handles of physical memory, events and notifies by the acl interface,
// for ever and at random. A board in a file that all of them map tells them each other's keys.
#pragma once

#include "runtime/base/unique_fd.h"
#include "tests/multi/sharing/step_time.h"

#include "acl/acl.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <utility>

namespace canopy::test {

inline constexpr size_t kPrograms = 3;
inline constexpr size_t kObjects = 3;
inline constexpr size_t kMemoryBytes = size_t{2} << 20;
inline constexpr uint64_t kStamp = 0x5A5A'5A5A'0000'0000;
inline constexpr uint64_t kMostWaitNs = 2'000'000'000;
inline constexpr const char* kBoardFile = "CANOPY_TEST_BOARD";

// In a file that all of them map.
struct Board {
  struct Key {
    std::atomic<uint32_t> version;  // odd: being written, or whoever wrote it was killed
    char text[68];
  };
  struct Place {
    Key memory[kObjects];
    std::atomic<uint64_t> handles[kObjects];  // of physical memory; 0: none
    Key event;
    Key notify;
    StepTime time;
    std::atomic<uint64_t> imports, copies, refusals, waits, waits_that_failed;
    std::atomic<uint64_t> mappings, records, notified, notified_in_vain;
  };
  // Of all places.
  struct Sums {
    uint64_t longest_ns = 0, imports = 0, copies = 0, refusals = 0, waits = 0, lost = 0;
    uint64_t mappings = 0, records = 0, notified = 0, in_vain = 0;

    void add(const Place& place) {
      longest_ns = std::max(longest_ns, place.time.so_far());
      imports += place.imports;
      copies += place.copies;
      refusals += place.refusals;
      waits += place.waits;
      lost += place.waits_that_failed;
      mappings += place.mappings;
      records += place.records;
      notified += place.notified;
      in_vain += place.notified_in_vain;
    }
    std::string text() const {
      return fmt::format("{} imports, {} handles, {} copies, {} refused, {} events, {} lost, {} records of notifies, {} waits for "
                         "them, {} in vain",
                         imports, mappings, copies, refusals, waits, lost, records, notified, in_vain);
    }
  };
  Place places[kPrograms];
  std::atomic<int64_t> wrong;  // an aclError that must not be; -1: wrong content
};

inline Board* map_board(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  void* const at = ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  return at == MAP_FAILED ? nullptr : static_cast<Board*>(at);
}

class Program {
 public:
  Program(Board& board, size_t me, uint64_t seed) : board_(board), mine_(board.places[me]), random_(seed) {
    for (Board::Key& key : mine_.memory) {
      write_key(key, "");
    }
    for (std::atomic<uint64_t>& handle : mine_.handles) {
      handle = 0;
    }
    write_key(mine_.event, "");
    write_key(mine_.notify, "");
    must(aclrtCreateStream(&stream_));
    must(aclrtCreateStream(&waiting_));
  }

  void run() {
    while (board_.wrong == 0) {
      mine_.time.begin();
      const size_t at = random_() % kObjects;
      (this->*kSteps[random_() % kSteps.size()])(at);
      mine_.time.end();
    }
  }

 private:
  using Step = void (Program::*)(size_t at);
  void must(aclError code) {
    if (code != ACL_SUCCESS) {
      board_.wrong = code;
    }
  }
  static void write_key(Board::Key& key, const char* text) {
    const uint32_t odd = key.version | 1;
    key.version = odd;
    std::atomic_thread_fence(std::memory_order_seq_cst);
    std::snprintf(key.text, sizeof key.text, "%s", text);
    key.version = odd + 1;
  }
  static std::string read_key(const Board::Key& key) {
    char text[sizeof key.text];
    const uint32_t before = key.version;
    std::memcpy(text, key.text, sizeof text);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    text[sizeof text - 1] = 0;
    return before % 2 == 0 && key.version == before ? text : "";
  }
  void share(size_t at) {
    end(at);
    const uint64_t stamp = kStamp | at;
    must(aclrtMalloc(&memory_[at], kMemoryBytes, ACL_MEM_MALLOC_HUGE_FIRST));
    must(aclrtMemcpy(memory_[at], kMemoryBytes, &stamp, sizeof stamp, ACL_MEMCPY_HOST_TO_DEVICE));
    char key[65] = {};
    must(aclrtIpcMemGetExportKey(memory_[at], kMemoryBytes, key, sizeof key, ACL_RT_IPC_MEM_EXPORT_FLAG_DISABLE_PID_VALIDATION));
    keys_[at] = key;
    write_key(mine_.memory[at], key);
  }
  void end(size_t at) {
    if (void* const memory = std::exchange(memory_[at], nullptr); memory != nullptr) {
      write_key(mine_.memory[at], "");
      must(aclrtSynchronizeStream(stream_));
      must(aclrtIpcMemClose(keys_[at].c_str()));
      must(aclrtFree(memory));
    }
  }
  size_t anybody() { return random_() % kPrograms; }
  void import(size_t at) {
    const size_t who = anybody();
    const std::string key = read_key(board_.places[who].memory[at]);
    if (key.empty() || &board_.places[who] == &mine_) {
      return;
    }
    void* there = nullptr;
    if (aclrtIpcMemImportByKey(&there, key.c_str(), 0) != ACL_SUCCESS) {
      ++mine_.refusals;  // ended, or its process was killed: how is acl's to say (tests/unit/api/ipc_memory_test.cc)
      return;
    }
    ++mine_.imports;
    look(there, at);
    must(aclrtIpcMemClose(key.c_str()));
  }

  // What was imported holds what its process has written there, or that one is gone.
  void look(const void* there, size_t at) {
    uint64_t found = 0;
    if (aclrtMemcpy(&found, sizeof found, there, sizeof found, ACL_MEMCPY_DEVICE_TO_HOST) == ACL_SUCCESS) {
      ++mine_.copies;
      if (found != (kStamp | at)) {
        board_.wrong = -1;
      }
    }
  }

  // ---- Physical memory by handles, mapped at addresses of each one's own.
  void* map(aclrtDrvMemHandle handle) {
    void* at = nullptr;
    must(aclrtReserveMemAddress(&at, kMemoryBytes, 0, nullptr, 1));
    must(aclrtMapMem(at, kMemoryBytes, 0, handle, 0));
    return at;
  }
  void unmap(void* at) {
    must(aclrtUnmapMem(at));
    must(aclrtReleaseMemAddress(at));
  }
  void share_handle(size_t at) {
    end_handle(at);
    aclrtPhysicalMemProp prop{};
    prop.memAttr = ACL_HBM_MEM_HUGE;
    prop.location = {0, ACL_MEM_LOCATION_TYPE_DEVICE};
    must(aclrtMallocPhysical(&handles_[at], kMemoryBytes, &prop, 0));
    mapped_[at] = map(handles_[at]);
    const uint64_t stamp = kStamp | at;
    must(aclrtMemcpy(mapped_[at], kMemoryBytes, &stamp, sizeof stamp, ACL_MEMCPY_HOST_TO_DEVICE));
    uint64_t number = 0;
    must(aclrtMemExportToShareableHandle(handles_[at], ACL_MEM_HANDLE_TYPE_NONE,
                                         ACL_RT_VMM_EXPORT_FLAG_DISABLE_PID_VALIDATION, &number));
    mine_.handles[at] = number;
  }
  void end_handle(size_t at) {
    if (const aclrtDrvMemHandle handle = std::exchange(handles_[at], nullptr); handle != nullptr) {
      mine_.handles[at] = 0;
      unmap(mapped_[at]);
      must(aclrtFreePhysical(handle));
    }
  }
  void import_handle(size_t at) {
    const size_t who = anybody();
    const uint64_t number = board_.places[who].handles[at];
    aclrtDrvMemHandle handle = nullptr;
    if (number == 0 || &board_.places[who] == &mine_) {
      return;
    }
    if (aclrtMemImportFromShareableHandle(number, 0, &handle) != ACL_SUCCESS) {
      ++mine_.refusals;
      return;
    }
    ++mine_.mappings;
    void* const there = map(handle);
    look(there, at);
    unmap(there);
    must(aclrtFreePhysical(handle));
  }

  // ---- Notifies: their creator waits, others record.
  void await_notify(size_t) {
    if (notify_ == nullptr) {
      must(aclrtCreateNotify(&notify_, ACL_NOTIFY_DEFAULT));
      char key[65] = {};
      must(aclrtNotifyGetExportKey(notify_, key, sizeof key, ACL_RT_NOTIFY_EXPORT_FLAG_DISABLE_PID_VALIDATION));
      write_key(mine_.notify, key);
    }
    must(aclrtWaitAndResetNotify(notify_, waiting_, 0));
    aclError code = aclrtSynchronizeStreamWithTimeout(waiting_, 5);
    if (code == ACL_ERROR_RT_STREAM_SYNC_TIMEOUT) {  // nobody has recorded it meanwhile
      must(aclrtRecordNotify(notify_, stream_));
      code = aclrtSynchronizeStream(waiting_);
    } else {
      ++(code == ACL_SUCCESS ? mine_.notified : mine_.notified_in_vain);
    }
    // Or who could have recorded it was killed meanwhile.
    if (code != ACL_SUCCESS && code != ACL_ERROR_RT_DRV_INTERNAL_ERROR) {
      board_.wrong = code;
    }
  }
  void record_notify(size_t) {
    const size_t who = anybody();
    const std::string key = read_key(board_.places[who].notify);
    aclrtNotify notify = nullptr;
    if (key.empty() || &board_.places[who] == &mine_) {
      return;
    }
    if (aclrtNotifyImportByKey(&notify, key.c_str(), ACL_RT_NOTIFY_IMPORT_FLAG_DEFAULT) != ACL_SUCCESS) {
      ++mine_.refusals;
      return;
    }
    // Refused when its creator is gone.
    mine_.records += aclrtRecordNotify(notify, stream_) == ACL_SUCCESS ? 1 : 0;
    (void)aclrtSynchronizeStream(stream_);
    must(aclrtDestroyNotify(notify));
  }

  // ---- Events.
  // One that others wait for; behind a memset, so that a kill finds it pending.
  void record(size_t at) {
    if (event_ == nullptr) {
      must(aclrtCreateEventExWithFlag(&event_, ACL_EVENT_IPC));
      aclrtIpcEventHandle handle{};
      must(aclrtIpcGetEventHandle(event_, &handle));
      write_key(mine_.event, handle.reserved);
    }
    if (memory_[at] != nullptr) {
      must(aclrtMemsetAsync(static_cast<char*>(memory_[at]) + 64, kMemoryBytes - 64, 0, kMemoryBytes - 64, stream_));
    }
    must(aclrtRecordEvent(event_, stream_));
  }
  void wait(size_t) {
    const size_t who = anybody();
    const std::string text = read_key(board_.places[who].event);
    if (text.empty() || &board_.places[who] == &mine_) {
      return;
    }
    aclrtIpcEventHandle handle{};
    text.copy(handle.reserved, sizeof handle.reserved);
    aclrtEvent event = nullptr;
    if (aclrtIpcOpenEventHandle(handle, &event) != ACL_SUCCESS) {
      ++mine_.refusals;
      return;
    }
    // Complete, or lost with the process that was to make it; never without end.
    ++(aclrtSynchronizeEvent(event) == ACL_SUCCESS ? mine_.waits : mine_.waits_that_failed);
    must(aclrtDestroyEvent(event));
  }

  Board& board_;
  Board::Place& mine_;
  std::mt19937_64 random_;
  aclrtStream stream_ = nullptr;
  aclrtStream waiting_ = nullptr;
  aclrtEvent event_ = nullptr;
  aclrtNotify notify_ = nullptr;
  void* memory_[kObjects] = {};
  std::string keys_[kObjects];
  aclrtDrvMemHandle handles_[kObjects] = {};
  void* mapped_[kObjects] = {};

  static constexpr std::array<Step, 14> kSteps = {
      &Program::share,         &Program::share,         &Program::end,          &Program::record,       &Program::wait,
      &Program::wait,          &Program::import,        &Program::import,       &Program::share_handle, &Program::end_handle,
      &Program::import_handle, &Program::import_handle, &Program::await_notify, &Program::record_notify};
};

}  // namespace canopy::test
