// Card: how a PE introduces itself to the others through the Bootstrap. A value with its bytes.
#pragma once

#include "runtime/base/result.h"
#include "runtime/driver/broker_name.h"
#include "shmem/world/common_text.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace canopy::shmem {

// What the user wishes of the paths between PEs (path_plan.h).
enum class PathWay : uint8_t { any, mapped, ofi, faulty };

// There is one of each PE in each PE: what is small stands together.
struct Card {
  int32_t pid = 0;
  uint32_t division = 0;      // which of several hosts that this one is to be taken for, if `divided`
  bool divided = false;
  bool heap_by_user = false;
  bool debug = false;  // wants the debug mode
  PathWay way = PathWay::any;
  uint64_t process_nonce = 0;  // equal for PEs that are threads of one process
  uint64_t control_nonce = 0;  // what the control page must hold: the proof
  uint64_t control_id = 0;     // under these ids the memory is published
  uint64_t heap_id = 0;
  uint64_t heap_bytes = 0;        // wanted (`heap_by_user`: by the environment); the job uses the least of all
  uint64_t globals_id = 0;        // of the executable's segment; without one the rest is 0
  uint64_t globals_bytes = 0;
  uint64_t globals_identity = 0;  // equal where the executables are
  std::array<uint64_t, 2> boot_id{};  // of the kernel: differs between hosts
  BrokerName broker;                  // high 0 when the PE has none
  CommonText host;                    // for sentences only: names lie in containers
  CommonText cpus;                    // affinity mask, bit i of byte i/8

  bool has_broker() const { return broker.high != 0; }
  std::string pack() const;
  static Result<Card> unpack(std::string_view bytes, int pe);
};

// The parts that a process knows about itself without asking anybody.
Card card_of_this_process();
// How many different CPUs the cards' masks name together.
int cpus_together(const std::vector<Card>& cards);

}  // namespace canopy::shmem
