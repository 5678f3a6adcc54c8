// DeathWatch: who of the job is gone, and the one report about it.
//
// Deaths come to be known in four ways: a broker's connection breaks (a PE of this host), another
// host tells (HostWatch), a host is silent or its leader's process has ended (HostWatch), or a
// transport loses a peer. The first two know best. So
//   - a death on this host is reported by whoever claims the word in the page of the host's first
//     PE; the host's leader tells the other hosts, which end without a word;
//   - a silent host is reported by the leader of the lowest host that is left; if PEs of it may have survived their
//     leader, they are given the time to speak first;
//   - what a transport knows is said only if nobody else has spoken until a silent host would have been told.
// Where several hosts could speak, each has its turn, so that the first one's notice silences the others.
// Whoever reports aborts the job with kPeerLostStatus.
// A PE that leaves while others wait for it is no death, and kMisuseStatus its status; but all of them find that out
// at once, and so one of them reports it in the same way.
//
// Threads: start() and stop() belong to the World's owner; the rest may be called by any, and
// operation_failed() does not return.
#pragma once

#include "launcher/bootstrap/host_watch.h"
#include "runtime/base/doorbell.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace canopy::shmem {

class World;

class DeathWatch {
 public:
  explicit DeathWatch(World& world) : world_(world) {}
  ~DeathWatch();

  // Begins to watch the other hosts; `watch` is null on PEs that do not lead one. REQUIRES: the
  // World's paths are known.
  Result<> start(std::unique_ptr<HostWatch> watch, std::vector<std::string> addresses);
  // The job ends in order: no host raises an alarm about this one from now on.
  void stop();
  // Tells the leaders of the other hosts that all PEs of this one leave, so that who waits for them in a barrier
  // hears of it. By the watch, and not by a signal: a job that sent nothing to other hosts opens no network for its
  // end (2026-11: 0.4 s). False: nobody was told, because this PE leads no host, or hosts are not groups.
  bool tell_departure();
  // PEs of this host may go from here on.
  void expect_departures() { departing_.store(true, std::memory_order_release); }
  // Deaths from here on are this process's doing: nothing is reported.
  void fall_silent() { silent_.store(true, std::memory_order_release); }

  // This PE ends the job and says why: the end of its own process is not to be reported on this host.
  void speak_for_host() { (void)claim(); }

  // A PE of this host has vanished.
  void on_local_death(int pe);
  // A transport has lost `pe`: remembered, for the operations that now fail.
  void on_transport_loss(int pe, std::string_view sentence);
  // What a transport said about `pe`; "" when nothing.
  std::string loss_of(int pe) const;
  // An operation failed because a PE cannot be reached. Ends the job, with `sentence` if nobody
  // knew better.
  [[noreturn]] void operation_failed(const std::string& sentence);
  // This PE waits for one that has left in order. Ends the job, with `sentence` if no other PE has said why by then.
  [[noreturn]] void waits_in_vain(const std::string& sentence);

 private:
  bool claim();
  void on_notice(std::string_view notice);
  void on_departure(std::string_view host);
  void on_host_silent(int host, std::string_view reason);
  void report_once(const std::string& sentence, int status);
  std::chrono::nanoseconds my_turn() const;
  void end_later(const std::string& sentence, std::chrono::nanoseconds after, int status);
  void wait_and_end(const std::stop_token& stop);
  [[noreturn]] void end(int status);

  World& world_;
  std::unique_ptr<HostWatch> watch_;
  std::atomic<bool> silent_{false};
  std::atomic<bool> departing_{false};
  std::atomic<bool> known_{false};  // somebody has reported, or is about to
  mutable std::mutex mutex_;        // guards the rest
  std::vector<std::pair<int, std::string>> losses_;
  std::vector<bool> host_gone_;
  uint64_t end_at_ns_ = 0;
  std::string last_words_;
  int end_status_ = 0;
  Doorbell ending_bell_;  // the rest is not guarded
  std::jthread ending_;   // gives those who know better the time to speak
};

}  // namespace canopy::shmem
