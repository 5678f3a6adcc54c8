// What a RailedContext remembers: transfers that are striped, their chunks, and what waits for
// them. Plain data; the context's mutex guards it.
#pragma once

#include "transport/base/ticket.h"
#include "transport/rails/pace.h"
#include "transport/rails/rail.h"

#include <deque>
#include <memory>
#include <vector>

namespace canopy::transport::rails {

// A large put or get. Chunks are cut off its front as rails have room.
struct Transfer {
  uint64_t seq = 0;  // of everything that a quiet or a fence may have to wait for, in order
  bool is_put = false;
  Target at;
  std::byte* local = nullptr;
  size_t nbytes = 0;
  size_t chunk = 0;
  size_t next = 0;  // where the next chunk begins
  struct Piece {
    size_t from;
    size_t nbytes;
  };
  std::vector<Piece> again;  // of chunks whose rail failed: they go over the first
  int out = 0;               // chunks that are posted, or wait for the end of their rail
  Ticket* ticket = nullptr;
  Errc worst = Errc::ok;
  bool dead = false;  // its peer is lost and its poster knows; only its chunks are still somewhere
  // After a fence a put's stripes go when what was posted over the first rail before has arrived.
  enum class Start : uint8_t { wait, asked, go };
  Start start = Start::go;
  uint64_t fences = 0;  // when that was asked
  Ticket order;

  bool all_cut() const { return next == nbytes && again.empty(); }
};

// What goes over one rail in one piece; complete when it has arrived.
struct Chunk {
  Ticket ticket;
  Transfer* transfer = nullptr;
  RailPtr rail;  // null: the first
  size_t from = 0;
  size_t nbytes = 0;
  bool needs_quiet = false;  // a put whose arrival has not been asked for yet
  bool stranded = false;     // its rail is closed; it goes again when nothing of it can arrive late
};

// The load of one rail to one peer, of one context.
struct Load {
  RailPtr rail;  // null: the first
  int chunks = 0;
  size_t bytes = 0;
  uint64_t silent_ns = 0;  // while something was out and nothing arrived
  RailPace pace;
};

struct Lane {
  std::deque<Load> loads = std::deque<Load>(1);  // the first one is the first rail's
  std::shared_ptr<const std::vector<Way>> ways;
  uint64_t ordered_at = 0;  // all of the first rail before that many fences has arrived
  uint64_t hold = 0;        // since a fence: later puts and amos wait for all before this number
  Errc failed = Errc::ok;   // of something without a ticket: the next quiet's
};

// A signal behind stripes.
struct LateSignal {
  uint64_t seq;
  Target at;
  Signal update;
};

// A quiet behind stripes.
struct LateQuiet {
  uint64_t seq = 0;
  int peer = 0;
  Ticket* ticket = nullptr;
  Errc worst = Errc::ok;
  bool posted = false;  // to the first rail
  Ticket first;
};

}  // namespace canopy::transport::rails
