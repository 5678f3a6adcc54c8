// shmem.h: setup, exit and query; threads; shmemx.h.
#include "runtime/base/log.h"
#include "shmem/api/define.h"
#include "shmem/api/session.h"
#include "shmem/sync/compare.h"
#include "shmem/world/op_counts.h"
#include "shmem/world/world.h"
#include "shmemx.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace canopy;
using namespace canopy::shmem;

extern "C" {

void pshmem_init(void) {
  if (!session::enter()) {
    report(error_text::newest());
    std::exit(EXIT_FAILURE);  // the specification gives shmem_init no way to fail
  }
}

int pshmem_init_thread(int requested, int* provided) {
  if (requested < SHMEM_THREAD_SINGLE || requested > SHMEM_THREAD_MULTIPLE) {
    report(fmt::format("shmem_init_thread: {} is no thread level", requested));
    return 1;
  }
  if (requested == SHMEM_THREAD_MULTIPLE) {
    Guard::expect_threads();
  }
  if (!session::enter()) {
    report(error_text::newest());
    return 1;
  }
  *provided = SHMEM_THREAD_MULTIPLE;
  return 0;
}

void pshmem_query_thread(int* provided) { *provided = SHMEM_THREAD_MULTIPLE; }
void pshmem_query_initialized(int* initialized) { *initialized = session::is_open() ? 1 : 0; }

void pshmem_finalize(void) {
  if (!session::leave()) {
    report(error_text::newest());
  }
}

void pshmem_global_exit(int status) { world_for("shmem_global_exit").global_exit(status); }

int pshmem_my_pe(void) { return current_hot().my_pe; }
int pshmem_n_pes(void) { return static_cast<int>(current_hot().n_pes); }

int pshmem_pe_accessible(int pe) { return static_cast<uint32_t>(pe) < current_hot().n_pes; }

int pshmem_addr_accessible(const void* addr, int pe) {
  const Hot& hot = current_hot();
  return reinterpret_cast<uintptr_t>(in_user_area(hot, addr)) - hot.base < hot.bytes &&
         static_cast<uint32_t>(pe) < hot.n_pes;
}

void* pshmem_ptr(const void* dest, int pe) {
  const Hot& hot = current_hot();
  const size_t offset = reinterpret_cast<uintptr_t>(in_user_area(hot, dest)) - hot.base;
  // No base: the PE's memory is not in our address space.
  if (offset >= hot.bytes || static_cast<uint32_t>(pe) >= hot.n_pes || hot.peers[pe].base == 0) {
    return nullptr;
  }
  if (pe == hot.my_pe) {
    return const_cast<void*>(dest);  // a global's own address, not where the slot shows it once more
  }
  return reinterpret_cast<void*>(hot.peers[pe].base + offset);
}

void pshmem_info_get_version(int* major, int* minor) {
  *major = SHMEM_MAJOR_VERSION;
  *minor = SHMEM_MINOR_VERSION;
}

void pshmem_info_get_name(char* name) {
  std::memcpy(name, SHMEM_VENDOR_STRING, sizeof SHMEM_VENDOR_STRING);
}

void pshmem_pcontrol(int, ...) {}

// ---- Deprecated since 1.2.
void pstart_pes(int) {
  // A second call has no effect. The process's exit leaves the job.
  if (!session::is_open()) {
    pshmem_init();
  }
}
int p_my_pe(void) { return pshmem_my_pe(); }
int p_num_pes(void) { return pshmem_n_pes(); }

void shmemx_op_counts(shmemx_op_counts_t* counts) {
  const OpCounts now = op_counts();
  const auto host = [&](Op op) { return now.host[static_cast<size_t>(op)]; };
  const auto kernel = [&](Op op) { return now.device[static_cast<size_t>(op)]; };
  *counts = {host(Op::put),        host(Op::get),     host(Op::signal), host(Op::amo),
             host(Op::wait),       host(Op::barrier), kernel(Op::put),  kernel(Op::get),
             kernel(Op::signal),   kernel(Op::amo),   kernel(Op::wait), kernel(Op::barrier),
             kernel(Op::ring_full)};
}

void shmemx_heap_info(shmemx_heap_info_t* info) {
  const World& world = world_for("shmemx_heap_info");
  const SymmetricHeap* on_device = world.device_heap_if_any();
  const HeapInfo host = world.host_heap().info();
  const HeapInfo device = on_device != nullptr ? on_device->info() : HeapInfo();
  *info = {host.bytes,   host.free_bytes,   host.largest_free,   host.live_blocks,
           device.bytes, device.free_bytes, device.largest_free, device.live_blocks};
}

int shmemx_why(int pe, char* text, size_t bytes) {
  World& world = world_for("shmemx_why");
  if (static_cast<uint32_t>(pe) >= world.hot().n_pes) {
    return -1;
  }
  return std::snprintf(text, bytes, "%s", world.why(pe).c_str());
}

}  // extern "C"

SHMEMX_SETUP_ROUTINES(CANOPY_ALIAS)
CANOPY_ALIAS_OF(shmem_pcontrol, pshmem_pcontrol)
CANOPY_ALIAS_OF(start_pes, pstart_pes)
CANOPY_ALIAS_OF(_my_pe, p_my_pe)
CANOPY_ALIAS_OF(_num_pes, p_num_pes)
