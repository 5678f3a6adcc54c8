// World: one instance of the job as one PE sees it - who the PEs are, their memory, and the ways to
// meet.
//
// Life: create() is collective and returns when every PE has a path to every other. finalize() is
// collective and orderly. A peer that goes without finalize ends the job with one report.
// The public APIs reach the current World through current_hot() (hot.h); tests make several in one
// process, one per thread, each with a Bootstrap of a thread group.
//
// Threads: create(), finalize() and everything collective belong to one thread at a time; what only
// reads (hot(), control(), why()) may be called by any.
#pragma once

#include "launcher/bootstrap/bootstrap.h"
#include "runtime/base/result.h"
#include "runtime/driver/broker.h"
#include "runtime/driver/physical_memory.h"
#include "shmem/context/open_context.h"
#include "shmem/debug/block_book.h"
#include "shmem/debug/front.h"
#include "shmem/debug/guard.h"
#include "shmem/heap/symmetric_heap.h"
#include "shmem/lending/lending.h"
#include "shmem/sync/gathering.h"
#include "shmem/team/team_book.h"
#include "shmem/world/card.h"
#include "shmem/world/death_watch.h"
#include "shmem/world/far_paths.h"
#include "shmem/world/findings.h"
#include "shmem/world/hot.h"
#include "shmem/world/local_group.h"
#include "shmem/world/path_plan.h"
#include "transport/faulty/fault_plan.h"
#include "transport/mapped/mapped_transport.h"
#include "transport/self/self_transport.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace canopy {
class Driver;
}

namespace canopy::shmem {

struct WorldOptions {
  std::optional<uint64_t> heap_bytes;  // of the host heap, in place of the environment's
  uint64_t device_heap_bytes = 0;      // 0: made when somebody asks for it
  int device = -1;                     // whose HBM the device heap is; -1: by the PE's number
  Driver* driver = nullptr;            // null: no device heap, nothing registered with the runtime
  bool for_thread = false;             // current for the calling thread only
  std::optional<PathWish> paths;       // in place of the environment's
  std::optional<bool> heap_report;     // in place of CANOPY_HEAP_REPORT: what is live at finalize
  bool debug = false;                  // checks every operation (debug/guard.h); one PE's wish is for all
};

// What the job ends with when we end it.
inline constexpr int kMisuseStatus = 1;
inline constexpr int kTimeoutStatus = 124;
inline constexpr int kPeerLostStatus = 134;

class World {
 public:
  static Result<std::unique_ptr<World>> create(std::unique_ptr<Bootstrap> bootstrap,
                                               const WorldOptions& options);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // Waits until every PE leaves, then leaves. A World that is destroyed without it just goes.
  Result<> finalize();

  int my_pe() const { return hot_.my_pe; }
  int n_pes() const { return static_cast<int>(hot_.n_pes); }
  // For the library's own operations. The program's go by current_hot(), which in debug mode stands in front of it.
  const Hot& hot() const { return hot_; }
  // Null outside the debug mode.
  Guard* guard() const { return guard_.get(); }
  // Who is near whom, and by which way.
  const PathPlan& plan() const { return plan_; }
  // Null when loads and stores reach every PE.
  FarPaths* far() const { return far_.get(); }
  Bootstrap& bootstrap() const { return *bootstrap_; }
  // REQUIRES: the page is mapped (plan().mapped()).
  ControlPage& control(int pe) const { return *group_->control(pe); }
  Doorbell& bell() const { return control(my_pe()).bell; }
  // One line about the path to `pe`, and which steps proved it.
  std::string why(int pe) const;
  // Why globals and statics are not symmetric; "" when they are.
  const std::string& globals_differ() const { return globals_differ_; }
  const Card& card(int pe) const { return cards_[static_cast<size_t>(pe)]; }

  // All of this PE's earlier stores are visible before any PE returns from sync(); with the quiet
  // of the default context, that makes barrier_all.
  void sync() { gathering_.sync(*this, "sync_all"); }
  void barrier_all();

  // The contexts that the program has created.
  Contexts& contexts() { return contexts_; }

  TeamBook& teams() { return *teams_; }
  SymmetricHeap& host_heap() { return *host_heap_; }
  const SymmetricHeap& host_heap() const { return *host_heap_; }
  // Collective at its first call, when it makes the heap (`bytes` 0: CANOPY_DEVICE_HEAP_SIZE, 256
  // MiB).
  Result<SymmetricHeap*> device_heap(uint64_t bytes = 0);
  const SymmetricHeap* device_heap_if_any() const { return device_heap_ ? &*device_heap_ : nullptr; }
  // In what the library keeps for itself at the start of the host heap.
  bool in_library_area(const void* address) const {
    return reinterpret_cast<uintptr_t>(address) - hot_.base < library_bytes();
  }
  // The heap that `address` of this PE lies in; null when it lies in none.
  SymmetricHeap* heap_of(const void* address);

  // Ends every PE of the job with `status`. fail_job() prints one sentence before.
  [[noreturn]] void global_exit(int status);
  [[noreturn]] void fail_job(int status, const std::string& sentence);
  // An operation on a far PE (-1: several) failed with `code`.
  [[noreturn]] void far_failed(int pe, const char* routine, Errc code);
  // `pe`, which this PE waits for, has left the job.
  [[noreturn]] void left_early(const char* routine, int pe);

 private:
  World(std::unique_ptr<Bootstrap> bootstrap, const WorldOptions& options);
  Result<> start();
  // At the start of the host heap's memory: the team areas and the log of writes, in whole granules.
  uint64_t library_bytes() const;
  static void give_back_free_memory();
  void make_guard();
  void make_current();
  Result<Card> make_card();
  Result<> publish_globals(Card* card);
  uint64_t agreed_globals();
  Result<> meet_all(const Card& mine);
  Leader meeting_place(int pe) const;
  Result<> map_peers();
  // wire_up.cc: the ways to all PEs
  Result<> wire_up(const Result<>& so_far);
  int process_leader() const;
  PathPlan own_view() const;
  bool needs_network(const PathPlan& plan) const;
  Result<> open_far_paths(const PathPlan& plan, Findings* mine);
  Result<> register_regions();
  Result<> open_watch(const PathPlan& plan, std::unique_ptr<HostWatch>* watch, Findings* mine);
  Result<std::vector<Findings>> exchange_findings(const Findings& mine);
  bool lacks_addresses(const std::vector<Findings>& all) const;
  Result<> check_wish() const;
  Result<> connect_paths(const std::vector<Findings>& all);
  Result<transport::Transport*> posted_path();
  transport::Transport& add_far(std::unique_ptr<transport::Transport> transport);
  Result<> watch_hosts(std::unique_ptr<HostWatch> watch, const std::vector<Findings>& all);
  Result<transport::FaultPlan> fault_plan() const;
  Result<std::unique_ptr<transport::Transport>> with_faults(
      std::unique_ptr<transport::Transport> inner);
  // All PEs tell how their step went; an error of one is an error of all.
  Result<> agree_on(const Result<>& mine);
  tl::unexpected<Error> failed_there(int pe, std::string_view sentence) const;
  Result<> publish(uint64_t* id, const UniqueFd& fd, uint64_t bytes);
  void withdraw(uint64_t id);
  void report_heaps() const;
  // The PEs whose memory this process maps.
  std::vector<int> mapped_pes() const;
  void wait_until_left(const std::vector<int>& pes);
  Result<> make_device_heap(uint64_t bytes);
  Result<> connect_device_heaps(uint64_t bytes);
  // device_side.cc: memory that processes of other hosts import
  uint64_t job_number() const;
  uint32_t host_part() const;
  void begin_lending();
  void end_lending();
  void register_with_runtime(uint64_t offset, uint64_t bytes, bool device_kind);
  void unregister_from_runtime();

  const std::unique_ptr<Bootstrap> bootstrap_;
  const WorldOptions options_;
  PathWish wish_;
  std::vector<Card> cards_;
  std::string globals_differ_;
  UniqueFd control_fd_;
  UniqueFd heap_fd_;
  PhysicalMemory device_memory_;
  std::vector<uint64_t> published_;
  std::vector<void*> registered_;  // bases known to the driver's address space
  std::shared_ptr<LocalGroup> group_;
  PathPlan plan_;
  std::vector<std::string> addresses_;  // by PE, for transports; "" where there is none
  std::vector<PeerEntry> peers_;
  transport::SelfTransport self_;
  transport::MappedTransport mapped_;
  Hot hot_;
  Hot front_hot_;  // debug mode
  Front front_;
  Gathering gathering_;
  std::unique_ptr<TeamBook> teams_;
  bool heap_report_ = false;
  std::unique_ptr<BlockBook> blocks_;  // null: nobody wants to know
  std::unique_ptr<Guard> guard_;
  std::optional<SymmetricHeap> host_heap_;
  std::optional<SymmetricHeap> device_heap_;
  bool finalized_ = false;
  DeathWatch deaths_{*this};
  std::shared_ptr<Lending> lending_;  // before the transports, which end before its memory does
  std::unique_ptr<FarPaths> far_;
  transport::Transport* network_ = nullptr;  // of far_'s: to other hosts
  transport::Transport* posted_ = nullptr;   // of far_'s: on mapped memory
  Contexts contexts_{*this};                 // after far_: they go before its transports
  // Last, so that it goes first: its thread calls deaths_.
  std::unique_ptr<Broker> broker_;
};

}  // namespace canopy::shmem
