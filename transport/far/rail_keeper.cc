#include "transport/far/rail_keeper.h"

#include "runtime/base/clock.h"
#include "runtime/base/log.h"
#include "runtime/base/random_id.h"
#include "runtime/base/start_thread.h"

#include <pthread.h>

#include <algorithm>

namespace canopy::transport::far {
namespace {

using rails::Rail;

// A network that did not answer, or that failed, is tried again by the first large transfer after
// this: a try takes up to 2 s of a background thread.
constexpr uint64_t kLookAgainNs = 10'000'000'000;
// Between two tries to reach a peer that has to close its end.
constexpr uint64_t kRetryNs = 100'000'000;
constexpr int kMostFailures = 8;

void keep_for_ever(std::unique_ptr<Transport> halted) {
  static std::mutex mutex;
  static auto* kept = new std::vector<std::unique_ptr<Transport>>;  // leaked
  std::lock_guard lock(mutex);
  kept->push_back(std::move(halted));
}

}  // namespace

RailKeeper::RailKeeper(Options options, Surroundings around)
    : options_(std::move(options)), around_(std::move(around)) {}

RailKeeper::~RailKeeper() {
  {
    std::lock_guard lock(tasks_mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) {
    thread_.join();
  }
  std::lock_guard lock(rails_mutex_);
  while (!opened_.empty()) {
    close(opened_.front().rail, Ends::in_order);
  }
}

// The thread starts here, and not with the first task: who has that cannot be told that there is none.
Result<std::unique_ptr<rails::RailedTransport>> RailKeeper::wrap(std::unique_ptr<Transport> first,
                                                                 const rails::StripeOptions& options) {
  CANOPY_TRY(start_thread(&thread_, "the keeper of further rails", [this] { run(); }));
  ::pthread_setname_np(thread_.native_handle(), "canopy-keeper");
  rails::RailedTransport::Keeper keeper;
  keeper.wanted = [this](int peer) { add({.kind = Task::Kind::look, .peer = peer}); };
  keeper.failed = [this](const RailPtr& rail) { add({.kind = Task::Kind::close, .rail = rail}); };
  auto railed =
      std::make_unique<rails::RailedTransport>(std::move(first), options, std::move(keeper));
  railed_ = railed.get();
  return railed;
}

void RailKeeper::add(Task task) {
  std::lock_guard lock(tasks_mutex_);
  if (stopping_) {
    return;
  }
  tasks_.push_back(std::move(task));
  changed_.notify_all();
}

std::optional<RailKeeper::Task> RailKeeper::next_task() {
  std::unique_lock lock(tasks_mutex_);
  while (!stopping_) {
    const auto next = std::min_element(
        tasks_.begin(), tasks_.end(),
        [](const Task& a, const Task& b) { return a.not_before_ns < b.not_before_ns; });
    if (next == tasks_.end()) {
      changed_.wait(lock);
    } else if (const uint64_t now = monotonic_ns(); next->not_before_ns > now) {
      changed_.wait_for(lock, std::chrono::nanoseconds(next->not_before_ns - now));
    } else {
      Task task = std::move(*next);
      tasks_.erase(next);
      return task;
    }
  }
  return std::nullopt;
}

void RailKeeper::run() {
  while (auto task = next_task()) {
    switch (task->kind) {
      case Task::Kind::look:
        look(task->peer);
        break;
      case Task::Kind::close: {
        std::lock_guard lock(rails_mutex_);
        close(task->rail, Ends::failed);
        break;
      }
      case Task::Kind::close_end:
        close_end(std::move(*task));
        break;
    }
  }
}

const HostInterface* RailKeeper::interface_of(const HostAddress& address) const {
  const auto found =
      std::find_if(options_.interfaces.begin(), options_.interfaces.end(),
                   [&](const HostInterface& each) { return each.address == address; });
  return found == options_.interfaces.end() ? nullptr : &*found;
}

void RailKeeper::look(int peer) {
  const auto place = around_.place(peer);
  if (!place) {
    return;
  }
  bool all_answer = true;
  std::vector<std::string> taken;
  for (const HostAddress& host : place->door.hosts) {
    if (host != place->there && taken.size() < options_.most) {
      all_answer &= try_way(peer, *place, host, taken);
    }
  }
  if (!all_answer) {
    railed_->look_again_at(peer, monotonic_ns() + kLookAgainNs);
  }
}

bool RailKeeper::try_way(int peer, const Place& place, const HostAddress& host,
                         std::vector<std::string>& taken) {
  const auto here = way_to(host, place.door.port, nullptr);
  if (!here) {
    return here.error().code != Errc::timeout;
  }
  // The same address on both sides is this host itself.
  const HostInterface* interface = interface_of(*here);
  if (interface == nullptr || *here == host ||
      std::find(taken.begin(), taken.end(), interface->name) != taken.end()) {
    return true;
  }
  if (auto met = meet(peer, place, host, *here); !met) {
    log(LogLevel::info, "ofi: no further rail from {} to {} of peer {}: {}", here->text(),
        host.text(), peer, error_text::newest());
    return met.error().code == Errc::not_supported;
  }
  log(LogLevel::info, "ofi: a further rail to peer {}: {} to {}", peer, here->text(), host.text());
  taken.push_back(interface->name);
  return true;
}

Result<> RailKeeper::meet(int peer, const Place& place, const HostAddress& host,
                          const HostAddress& here) {
  RailPtr rail;
  {
    std::lock_guard lock(rails_mutex_);
    CANOPY_ASSIGN(const Opened* opened, ensure(here));
    rail = opened->rail;
  }
  UniqueFd no_line;
  const Knock knock{
      .token = place.door.token, .provider = options_.provider, .purpose = Purpose::rail};
  CANOPY_ASSIGN(const Welcome welcome, knock_at(host, place.door, &here, knock, no_line));
  if (!welcome.refusal.empty()) {
    return fail(Errc::not_supported, "{}", welcome.refusal);
  }
  std::lock_guard lock(rails_mutex_);
  Opened* opened = find(*rail);
  if (opened == nullptr) {
    return fail(Errc::io, "it has been closed meanwhile");
  }
  CANOPY_TRY(rail->transport->connect(peer, welcome.address, welcome.regions));
  opened->ends[peer] = welcome.rail;
  std::vector<RegionId> regions;
  for (const PeerRegion& region : welcome.regions) {
    regions.push_back(region.id);
  }
  return railed_->add_way(peer, rail, std::move(regions));
}

Result<RailKeeper::Opened*> RailKeeper::ensure(const HostAddress& at) {
  for (Opened& opened : opened_) {
    // One that has failed is about to be closed.
    if (opened.at == at && !opened.rail->failed.load(std::memory_order_relaxed)) {
      return &opened;
    }
  }
  if (interface_of(at) == nullptr) {
    return fail(Errc::not_supported, "{} is none of its further rails", at.text());
  }
  if (failures_ >= kMostFailures) {
    return fail(Errc::not_supported, "{} further rails have failed, and no other is tried",
                failures_);
  }
  CANOPY_ASSIGN(Network network, around_.open_network({options_.provider, at.text(), true}));
  Opened made;
  made.rail = std::make_shared<Rail>(at.text(), std::move(network.transport));
  made.number = random_id();
  made.at = at;
  Transport& transport = *made.rail->transport;
  transport.on_arrival(around_.arrival);
  transport.on_error([this, rail = std::weak_ptr(made.rail)](int peer, Errc,
                                                             std::string_view sentence) {
    const RailPtr alive = rail.lock();
    if (alive != nullptr && railed_->loss_code(peer) == Errc::ok) {
      railed_->fail_rail(alive, sentence);
    }
  });
  for (const auto& [id, memory] : around_.regions()) {
    CANOPY_ASSIGN(made.keys[id], transport.register_region(id, memory));
  }
  log(LogLevel::info, "ofi: a further rail of provider {} on {}", network.provider, at.text());
  return &opened_.emplace_back(std::move(made));
}

RailKeeper::Opened* RailKeeper::find(const Rail& rail) {
  const auto found = std::find_if(opened_.begin(), opened_.end(), [&](const Opened& opened) {
    return opened.rail.get() == &rail;
  });
  return found == opened_.end() ? nullptr : &*found;
}

Result<> RailKeeper::register_region(RegionId id, std::span<std::byte> memory) {
  std::lock_guard lock(rails_mutex_);
  for (Opened& opened : opened_) {
    if (opened.keys.contains(id)) {
      continue;  // it was opened since the region is known
    }
    CANOPY_ASSIGN(opened.keys[id], opened.rail->transport->register_region(id, memory));
  }
  return {};
}

void RailKeeper::close(const RailPtr& rail, Ends how) {
  Opened* opened = find(*rail);
  if (opened == nullptr) {
    return;  // done already
  }
  const std::set<int> puts_to = railed_->retire(rail);
  if (how == Ends::failed) {
    ++failures_;
    rail->transport->halt();
    keep_for_ever(std::move(rail->transport));
  }
  rail->transport.reset();
  railed_->resend_gets(*rail);
  for (const auto& [peer, end] : opened->ends) {
    railed_->look_again_at(peer, monotonic_ns() + kLookAgainNs);
    if (puts_to.contains(peer)) {
      add({.kind = Task::Kind::close_end, .peer = peer, .rail = rail, .end = end});
    }
  }
  std::erase_if(opened_, [&](const Opened& each) { return each.rail == rail; });
}

// What the peer's side still gets over the rail would overwrite what came later.
void RailKeeper::close_end(Task task) {
  const auto place = around_.place(task.peer);
  if (!place) {
    railed_->resend(*task.rail, task.peer);  // which finds it lost
    return;
  }
  const Knock knock{.token = place->door.token,
                    .provider = options_.provider,
                    .purpose = Purpose::close_rail,
                    .rail = task.end};
  // Where the first rail met it, and only if that does not help anywhere else.
  std::vector<HostAddress> hosts = place->door.hosts;
  std::stable_partition(hosts.begin(), hosts.end(),
                        [&](const HostAddress& host) { return host == place->there; });
  bool may_come_back = false;
  for (const HostAddress& host : hosts) {
    UniqueFd no_line;
    const HostAddress* from = host == place->there ? &options_.first : nullptr;
    const auto welcome = knock_at(host, place->door, from, knock, no_line);
    if (welcome && welcome->refusal.empty()) {
      railed_->resend(*task.rail, task.peer);
      return;
    }
    may_come_back |= welcome || welcome.error().code != Errc::peer_lost;
  }
  if (!may_come_back) {
    around_.gone(task.peer, fmt::format("it has ended: {}", error_text::newest()));
  }
  task.not_before_ns = monotonic_ns() + kRetryNs;
  add(std::move(task));
}

Welcome RailKeeper::answer(const Knock& knock, const HostAddress& at) {
  Welcome welcome;
  std::lock_guard lock(rails_mutex_);
  if (knock.purpose == Purpose::close_rail) {
    const auto found = std::find_if(opened_.begin(), opened_.end(), [&](const Opened& opened) {
      return opened.number == knock.rail;
    });
    if (found != opened_.end()) {
      const RailPtr rail = found->rail;
      log(LogLevel::warn, "ofi: a peer has the rail at {} halted", rail->name);
      close(rail, Ends::failed);
    }
    return welcome;  // one that is closed already is as good
  }
  auto opened = knock.provider == options_.provider
                    ? ensure(at)
                    : fail(Errc::not_supported, "it speaks provider {}, not {}", options_.provider,
                           knock.provider);
  if (opened) {
    if (auto address = (*opened)->rail->transport->address()) {
      welcome.address = std::move(*address);
      welcome.rail = (*opened)->number;
      for (const auto& [id, memory] : around_.regions()) {
        welcome.regions.push_back(
            {.id = id, .bytes = memory.size(), .key = (*opened)->keys.at(id)});
      }
      return welcome;
    }
  }
  welcome.refusal = error_text::newest();
  return welcome;
}

}  // namespace canopy::transport::far
