// The double's objects: opening, binding and closing.
#include "tests/unit/transport/fake_fabric/objects.h"

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace canopy::fake_fabric {

State& state() {
  static State* instance = new State;  // leaked: threads of the code under test may outlive main
  return *instance;
}

void reset(const Behaviour& behaviour) {
  State& all = state();
  std::lock_guard lock(all.mutex);
  all.behaviour = behaviour;
  all.counts = {};
  all.misuse.clear();
  all.frozen = false;
  all.random.seed(behaviour.seed);
  for (auto& failure : all.failure) {
    failure.reset();
  }
}

Counts counts() {
  std::lock_guard lock(state().mutex);
  return state().counts;
}

std::string misuse() {
  std::lock_guard lock(state().mutex);
  return state().misuse;
}

void fail_next(Traffic traffic, int fi_errno, const std::string& words) {
  std::lock_guard lock(state().mutex);
  state().failure[static_cast<int>(traffic)] = Event{{}, fi_errno, words};
}

void freeze(bool frozen) {
  std::lock_guard lock(state().mutex);
  state().frozen = frozen;
}

void blame(const std::string& sentence) { state().misuse += sentence + "\n"; }

namespace {

template <class T>
int close_plain(fid* object) {
  std::lock_guard lock(state().mutex);
  delete reinterpret_cast<T*>(object);
  return 0;
}

// ---- memory

bool is_resident(const void* at, size_t nbytes) {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const uintptr_t from = reinterpret_cast<uintptr_t>(at) & ~(page - 1);
  const uintptr_t to = (reinterpret_cast<uintptr_t>(at) + nbytes + page - 1) & ~(page - 1);
  std::vector<unsigned char> there((to - from) / page);
  return ::mincore(reinterpret_cast<void*>(from), to - from, there.data()) == 0 &&
         std::all_of(there.begin(), there.end(), [](unsigned char c) { return (c & 1) != 0; });
}

int close_region(fid* object) {
  std::lock_guard lock(state().mutex);
  auto* region = reinterpret_cast<Region*>(object);
  region->domain->regions.erase(region->fid.key);
  --state().counts.registrations;
  delete region;
  return 0;
}

int bind_region(fid* object, fid* to, uint64_t) {
  std::lock_guard lock(state().mutex);
  reinterpret_cast<Region*>(object)->bound = reinterpret_cast<Endpoint*>(to);
  return 0;
}

int control_region(fid* object, int command, void*) {
  std::lock_guard lock(state().mutex);
  auto* region = reinterpret_cast<Region*>(object);
  if (command != FI_ENABLE || region->bound == nullptr || !region->bound->enabled) {
    blame("a memory region is enabled before it is bound to an enabled endpoint");
    return -FI_EINVAL;
  }
  region->enabled = true;
  return 0;
}

fi_ops region_fid_operations = {
    .size = sizeof(fi_ops), .close = close_region, .bind = bind_region, .control = control_region};

int register_memory(fid* object, const void* at, size_t nbytes, uint64_t access, uint64_t,
                    uint64_t wanted_key, uint64_t, fid_mr** out, void*) {
  State& all = state();
  std::lock_guard lock(all.mutex);
  const int mode = all.behaviour.mr_mode;
  const uint64_t key = (mode & FI_MR_PROV_KEY) != 0 ? all.next_key += 0x101 : wanted_key;
  auto* domain = reinterpret_cast<DomainObject*>(object);
  if (domain->regions.count(key) != 0) {
    blame("two memory regions have one key");
    return -FI_ENOKEY;
  }
  if ((mode & FI_MR_ALLOCATED) != 0 && !is_resident(at, nbytes)) {
    blame("memory is registered that has no pages");
    return -FI_EFAULT;
  }
  auto* region = new Region{};
  region->domain = domain;
  region->base = static_cast<std::byte*>(const_cast<void*>(at));
  region->bytes = nbytes;
  region->access = access;
  region->enabled = (mode & FI_MR_ENDPOINT) == 0;
  region->fid = {{FI_CLASS_MR, nullptr, &region_fid_operations}, region, key};
  domain->regions[key] = region;
  ++all.counts.registrations;
  *out = &region->fid;
  return 0;
}

fi_ops_mr memory_operations = {.size = sizeof(fi_ops_mr), .reg = register_memory};

// ---- addresses

int insert(fid_av* av, const void* names, size_t count, fi_addr_t* out, uint64_t, void*) {
  std::lock_guard lock(state().mutex);
  auto* vector = reinterpret_cast<Vector*>(av);
  for (size_t i = 0; i < count; ++i) {
    uint64_t name;
    std::memcpy(&name, static_cast<const std::byte*>(names) + i * sizeof name, sizeof name);
    vector->names.push_back(name);
    out[i] = vector->names.size() - 1;
  }
  return static_cast<int>(count);
}

fi_ops vector_fid_operations = {.size = sizeof(fi_ops), .close = close_plain<Vector>};
fi_ops_av vector_operations = {.size = sizeof(fi_ops_av), .insert = insert};

int open_vector(fid_domain*, fi_av_attr*, fid_av** out, void*) {
  auto* vector = new Vector{};
  vector->fid = {{FI_CLASS_AV, nullptr, &vector_fid_operations}, &vector_operations};
  *out = &vector->fid;
  return 0;
}

// ---- queues

int control_queue(fid* object, int command, void* out) {
  auto* queue = reinterpret_cast<Queue*>(object);
  if (command != FI_GETWAIT || !queue->wake) {
    return -FI_ENOSYS;
  }
  *static_cast<int*>(out) = queue->wake.get();
  return 0;
}

fi_ops queue_fid_operations = {
    .size = sizeof(fi_ops), .close = close_plain<Queue>, .control = control_queue};

int open_queue(fid_domain*, fi_cq_attr* attributes, fid_cq** out, void*) {
  const bool wakes = attributes->wait_obj == FI_WAIT_FD;
  if (wakes && !state().behaviour.wait_fd) {
    return -FI_ENOSYS;
  }
  auto* queue = new Queue{};
  queue->fid = {{FI_CLASS_CQ, nullptr, &queue_fid_operations}, &queue_operations};
  if (wakes) {
    queue->wake.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  }
  *out = &queue->fid;
  return 0;
}

// ---- endpoints

int close_endpoint(fid* object) {
  State& all = state();
  std::lock_guard lock(all.mutex);
  auto* endpoint = reinterpret_cast<Endpoint*>(object);
  std::erase_if(all.endpoints, [&](const auto& entry) { return entry.second == endpoint; });
  for (auto& [name, other] : all.endpoints) {
    std::erase_if(other->inbox, [&](const Item& item) { return item.from == endpoint; });
  }
  for (const auto& [key, region] : endpoint->domain->regions) {
    if (region->bound == endpoint) {
      blame("an endpoint is closed before a memory region that is bound to it");
    }
  }
  if (endpoint->receive != nullptr) {
    std::erase(endpoint->receive->endpoints, endpoint);
  }
  delete endpoint;
  return 0;
}

int bind_endpoint(fid* object, fid* to, uint64_t flags) {
  std::lock_guard lock(state().mutex);
  auto* endpoint = reinterpret_cast<Endpoint*>(object);
  if (to->fclass == FI_CLASS_AV) {
    endpoint->vector = reinterpret_cast<Vector*>(to);
  } else if (to->fclass == FI_CLASS_CQ) {
    auto* queue = reinterpret_cast<Queue*>(to);
    endpoint->transmit = (flags & FI_TRANSMIT) != 0 ? queue : endpoint->transmit;
    if ((flags & FI_RECV) != 0) {
      endpoint->receive = queue;
      queue->endpoints.push_back(endpoint);
    }
  }
  return 0;
}

int control_endpoint(fid* object, int command, void*) {
  std::lock_guard lock(state().mutex);
  auto* endpoint = reinterpret_cast<Endpoint*>(object);
  if (command != FI_ENABLE || endpoint->vector == nullptr || endpoint->transmit == nullptr ||
      endpoint->receive == nullptr) {
    return -FI_EINVAL;
  }
  endpoint->enabled = true;
  return 0;
}

int name_of(fid* object, void* out, size_t* nbytes) {
  std::lock_guard lock(state().mutex);
  const auto* endpoint = reinterpret_cast<Endpoint*>(object);
  const size_t room = *nbytes;
  *nbytes = sizeof endpoint->name;
  if (room < sizeof endpoint->name) {
    return -FI_ETOOSMALL;
  }
  std::memcpy(out, &endpoint->name, sizeof endpoint->name);
  return 0;
}

fi_ops endpoint_fid_operations = {.size = sizeof(fi_ops),
                                  .close = close_endpoint,
                                  .bind = bind_endpoint,
                                  .control = control_endpoint};
fi_ops_ep endpoint_operations = {.size = sizeof(fi_ops_ep)};
fi_ops_cm name_operations = {.size = sizeof(fi_ops_cm), .setname = nullptr, .getname = name_of};

int open_endpoint(fid_domain* domain, fi_info*, fid_ep** out, void*) {
  std::lock_guard lock(state().mutex);
  auto* endpoint = new Endpoint{};
  endpoint->domain = reinterpret_cast<DomainObject*>(domain);
  endpoint->name = state().next_name++;
  endpoint->fid = {{FI_CLASS_EP, nullptr, &endpoint_fid_operations},
                   &endpoint_operations,
                   &name_operations,
                   &message_operations,
                   &rma_operations,
                   nullptr,
                   nullptr,
                   nullptr};
  state().endpoints[endpoint->name] = endpoint;
  *out = &endpoint->fid;
  return 0;
}

// ---- domain and fabric

fi_ops domain_fid_operations = {.size = sizeof(fi_ops), .close = close_plain<DomainObject>};
fi_ops_domain domain_operations = {.size = sizeof(fi_ops_domain),
                                   .av_open = open_vector,
                                   .cq_open = open_queue,
                                   .endpoint = open_endpoint};

int open_domain(fid_fabric*, fi_info*, fid_domain** out, void*) {
  auto* domain = new DomainObject{};
  domain->fid = {
      {FI_CLASS_DOMAIN, nullptr, &domain_fid_operations}, &domain_operations, &memory_operations};
  *out = &domain->fid;
  return 0;
}

int try_wait(fid_fabric*, fid** objects, int count) {
  std::lock_guard lock(state().mutex);
  for (int i = 0; i < count; ++i) {
    auto* queue = reinterpret_cast<Queue*>(objects[i]);
    const bool busy =
        !queue->events.empty() || std::any_of(queue->endpoints.begin(), queue->endpoints.end(),
                                              [](const Endpoint* e) { return !e->inbox.empty(); });
    if (busy) {
      return -FI_EAGAIN;
    }
    uint64_t count_of_wakes;
    [[maybe_unused]] const ssize_t taken =
        ::read(queue->wake.get(), &count_of_wakes, sizeof count_of_wakes);
  }
  return 0;
}

fi_ops fabric_fid_operations = {.size = sizeof(fi_ops), .close = close_plain<fid_fabric>};
fi_ops_fabric fabric_operations = {
    .size = sizeof(fi_ops_fabric), .domain = open_domain, .trywait = try_wait};

}  // namespace
}  // namespace canopy::fake_fabric

extern "C" int fi_fabric(fi_fabric_attr*, fid_fabric** out, void*) {
  using namespace canopy::fake_fabric;
  *out = new fid_fabric{{FI_CLASS_FABRIC, nullptr, &fabric_fid_operations}, &fabric_operations, 0};
  return 0;
}
