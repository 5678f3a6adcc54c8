#include "launcher/bootstrap/host_meeting.h"

#include "launcher/bootstrap/pmix_gets.h"
#include "runtime/base/cache_line.h"
#include "runtime/base/clock.h"
#include "runtime/base/doorbell.h"
#include "runtime/base/log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstring>
#include <iterator>

namespace canopy {
namespace {

constexpr size_t kPieceBytes = 1024;
// As in arrival_wait.cc, so that a job ends within 5 s of the end of a PE.
constexpr std::chrono::seconds kLook{1};
constexpr std::chrono::milliseconds kConfirm{250};
// Longer than the launcher needs when another PE has spoken.
constexpr std::chrono::seconds kDoubt{3};
constexpr uint64_t kReportNs = 60'000'000'000;

}  // namespace

struct alignas(kCacheLine) HostMeeting::Hall {
  uint64_t magic;
  uint32_t n_pes;
  uint32_t spoken;  // somebody has said who is lost
  Doorbell bell;    // rung by whoever arrives
};

struct alignas(kCacheLine) HostMeeting::Seat {
  static constexpr size_t kBytes = kCacheLine + 2 * kPieceBytes;
  uint64_t arrived;   // rounds; released, behind the piece
  uint64_t bytes[2];  // of the whole card, by the parity of its first round
};

namespace {
constexpr uint64_t kMagic = 0x74656d796e636e63;
constexpr size_t kHallBytes = kCacheLine;
}  // namespace

HostMeeting::HostMeeting(UniqueFd fd, Mapping map, int n_pes) : fd_(std::move(fd)), map_(std::move(map)), n_pes_(n_pes) {
  static_assert(sizeof(Hall) == kHallBytes && sizeof(Seat) == kCacheLine);
}

HostMeeting::Hall& HostMeeting::hall() const { return *reinterpret_cast<Hall*>(map_.base()); }

HostMeeting::Seat& HostMeeting::seat(int pe) const {
  return *reinterpret_cast<Seat*>(map_.base() + kHallBytes + static_cast<size_t>(pe) * Seat::kBytes);
}

char* HostMeeting::piece(int pe, uint64_t round) const {
  return reinterpret_cast<char*>(&seat(pe)) + kCacheLine + round % 2 * kPieceBytes;
}

Result<HostMeeting> HostMeeting::make(int n_pes) {
  const size_t bytes = kHallBytes + static_cast<size_t>(n_pes) * Seat::kBytes;
  CANOPY_ASSIGN(UniqueFd fd, sealed_memfd("canopy-meeting", bytes));
  CANOPY_ASSIGN(Mapping map, Mapping::shared(fd, bytes));
  HostMeeting meeting(std::move(fd), std::move(map), n_pes);
  meeting.hall().magic = kMagic;
  meeting.hall().n_pes = static_cast<uint32_t>(n_pes);
  return meeting;
}

std::string HostMeeting::place() const {
  struct stat found {};
  ::fstat(fd_.get(), &found);
  return fmt::format("/proc/{}/fd/{} {}", ::getpid(), fd_.get(), found.st_ino);
}

Result<HostMeeting> HostMeeting::open(std::string_view place, int n_pes) {
  const size_t gap = place.find(' ');
  const std::string path(place.substr(0, gap));
  ino_t inode = 0;
  if (gap != std::string_view::npos) {
    std::from_chars(place.data() + gap + 1, place.data() + place.size(), inode);
  }
  const size_t bytes = kHallBytes + static_cast<size_t>(n_pes) * Seat::kBytes;
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  struct stat found {};
  if (!fd || ::fstat(fd.get(), &found) != 0 || found.st_ino != inode || found.st_size != static_cast<off_t>(bytes) ||
      !is_sealed(fd)) {
    return fail(Errc::io, "the meeting place {} cannot be opened, or is another file", place);
  }
  CANOPY_ASSIGN(Mapping map, Mapping::shared(fd, bytes));
  HostMeeting meeting(UniqueFd(), std::move(map), n_pes);
  if (meeting.hall().magic != kMagic || meeting.hall().n_pes != static_cast<uint32_t>(n_pes)) {
    return fail(Errc::io, "{} is no meeting place of {} PEs", place, n_pes);
  }
  return meeting;
}

std::vector<int> HostMeeting::absent(uint64_t round) const {
  std::vector<int> list;
  for (int pe = 0; pe < n_pes_; ++pe) {
    // Acquire: who has arrived has written its piece.
    if (load_acquire(&seat(pe).arrived) <= round) {
      list.push_back(pe);
    }
  }
  return list;
}

// One PE says who has ended and will not come; for the others the end of the job is on its way.
Result<> HostMeeting::look_for_lost(Waiter& waiter, uint64_t round) {
  const SiblingReport report = waiter.watch.look();
  const std::vector<int> missing = absent(round);
  std::vector<int> lost;
  std::set_intersection(missing.begin(), missing.end(), report.ended.begin(), report.ended.end(), std::back_inserter(lost));
  if (lost.empty()) {
    return {};
  }
  if (std::atomic_ref(hall().spoken).exchange(1, std::memory_order_relaxed) != 0) {  // relaxed: orders nothing
    wait_until([] { return false; }, nullptr, BellScope::process, Deadline::after(kDoubt),
               [&] { return waiter.name + " for the launcher to end it"; });
  }
  return fail(Errc::peer_lost, "{}", ended_sentence(lost, n_pes_, waiter.name, waiter.call));
}

Result<> HostMeeting::await_all(Waiter& waiter, uint64_t round, Deadline deadline) {
  const uint64_t start_ns = monotonic_ns();
  uint64_t report_ns = start_ns + kReportNs;
  int next = 0;
  const auto all_there = [&] {
    // Acquire: pairs with the release of whoever arrives.
    while (next < n_pes_ && load_acquire(&seat(next).arrived) > round) {
      ++next;
    }
    return next == n_pes_;
  };
  for (;;) {
    const auto look_in = waiter.watch.suspects() ? std::chrono::nanoseconds(kConfirm) : std::chrono::nanoseconds(kLook);
    const auto limit = std::min(look_in, deadline.left(monotonic_ns()));
    if (wait_until(all_there, &hall().bell, BellScope::host, Deadline::after(limit),
                   [&] { return fmt::format("{} in {}", waiter.name, waiter.call); }) == WaitEnd::ready) {
      return {};
    }
    CANOPY_TRY(look_for_lost(waiter, round));
    const uint64_t now = monotonic_ns();
    const std::vector<int> missing = absent(round);
    if (missing.empty()) {
      return {};
    }
    const uint64_t seconds = (now - start_ns) / 1'000'000'000;
    if (deadline.passed(now)) {
      return fail(Errc::timeout, "{}: {} did not complete within {} s; not there: {}", waiter.name, waiter.call, seconds,
                  name_pes(missing));
    }
    if (now >= report_ns) {
      report_ns += kReportNs;
      int first = 0;
      while (std::binary_search(missing.begin(), missing.end(), first)) {
        ++first;
      }
      if (first == waiter.pe) {  // one report per host
        report(fmt::format("{} still waits in {} after {} s; not there: {}", waiter.name, waiter.call, seconds,
                           name_pes(missing)));
      }
    }
  }
}

Result<std::vector<std::string>> HostMeeting::meet(Waiter waiter, std::string_view card, Deadline deadline) {
  std::vector<std::string> cards(static_cast<size_t>(n_pes_));
  std::vector<uint64_t> lengths(cards.size());
  const uint64_t first = rounds_;
  uint64_t pieces = 1;
  for (uint64_t i = 0; i < pieces; ++i) {
    const uint64_t round = rounds_++;
    Seat& mine = seat(waiter.pe);
    const std::string_view part = card.substr(std::min(card.size(), i * kPieceBytes), kPieceBytes);
    std::memcpy(piece(waiter.pe, round), part.data(), part.size());
    if (i == 0) {
      mine.bytes[first % 2] = card.size();
    }
    // Release: pairs with await_all().
    store_release(&mine.arrived, round + 1);
    hall().bell.ring(BellScope::host);
    CANOPY_TRY(await_all(waiter, round, deadline));
    for (int pe = 0; pe < n_pes_; ++pe) {
      const auto at = static_cast<size_t>(pe);
      if (i == 0) {
        lengths[at] = seat(pe).bytes[first % 2];
        pieces = std::max(pieces, (lengths[at] + kPieceBytes - 1) / kPieceBytes);
      }
      cards[at].append(piece(pe, round), std::min<uint64_t>(kPieceBytes, lengths[at] - cards[at].size()));
    }
  }
  return cards;
}

}  // namespace canopy
