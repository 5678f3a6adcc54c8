// The objects of the double. One mutex guards them all: state().mutex.
#pragma once

#include "runtime/base/unique_fd.h"
#include "tests/unit/transport/fake_fabric/fake_fabric.h"

#include <rdma/fi_cm.h>
#include <rdma/fi_eq.h>
#include <rdma/fi_rma.h>

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <vector>

namespace canopy::fake_fabric {

struct Endpoint;

struct Region;

struct DomainObject {
  fid_domain fid;
  std::map<uint64_t, Region*> regions;  // by key
};

struct Region {
  fid_mr fid;
  DomainObject* domain;
  std::byte* base;
  size_t bytes;
  uint64_t access;
  Endpoint* bound = nullptr;
  bool enabled = true;
};

struct Event {
  fi_cq_msg_entry entry;
  int error = 0;  // a positive FI_ number: this is an error
  std::string words;
};

struct Queue {
  fid_cq fid;
  std::deque<Event> events;
  std::vector<Endpoint*> endpoints;  // that complete here
  UniqueFd wake;
  std::string words;  // of the error that was read last
};

struct Receive {
  void* buffer;
  size_t bytes;
  void* context;
};

// Something on its way to an endpoint.
struct Item {
  Traffic traffic;
  Endpoint* from;
  void* context;       // of the operation; null: nobody is told
  bool tell_delivery;  // a put that completes at its arrival
  bool announce;       // raises an event at the target
  bool holds_a_place;  // in the sender's transmit queue
  uint64_t key = 0;
  uint64_t address = 0;
  std::byte* local = nullptr;  // where a get goes
  size_t bytes = 0;
  std::vector<std::byte> data;
};

struct Vector {
  fid_av fid;
  std::vector<uint64_t> names;
};

struct Endpoint {
  fid_ep fid;
  DomainObject* domain;
  uint64_t name = 0;
  Vector* vector = nullptr;
  Queue* transmit = nullptr;
  Queue* receive = nullptr;
  bool enabled = false;
  std::deque<Receive> receives;
  std::deque<Item> inbox;
  size_t out = 0;            // operations of ours that hold a place
  uint32_t refused = 0;      // in a row
  std::set<void*> contexts;  // of operations that are out
};

struct State {
  std::mutex mutex;
  Behaviour behaviour;
  Counts counts;
  std::string misuse;
  bool frozen = false;
  std::mt19937 random{1};
  uint64_t next_name = 1;
  uint64_t next_key = 0x1000;
  std::map<uint64_t, Endpoint*> endpoints;  // by name
  std::optional<Event> failure[3];          // by Traffic: of the next one
};
State& state();

// With the mutex held.
void blame(const std::string& sentence);
void push(Queue& queue, Event event);
// Delivers what has come to the endpoint, or as much of it as it likes to.
void deliver(Endpoint& endpoint);

// What an endpoint can do (posting.cc), and a queue (delivery.cc).
extern fi_ops_msg message_operations;
extern fi_ops_rma rma_operations;
extern fi_ops_cq queue_operations;

}  // namespace canopy::fake_fabric
