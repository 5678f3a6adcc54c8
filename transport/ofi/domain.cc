#include "transport/ofi/domain.h"

#include "runtime/base/mapping.h"
#include "transport/ofi/fabric_error.h"

#include <sys/mman.h>

namespace canopy::transport::ofi {
namespace {

// FI_MR_ALLOCATED: the provider wants pages behind the addresses, and ours may be untouched.
void populate(std::span<std::byte> memory) {
  const auto page = static_cast<uintptr_t>(page_size());
  const auto from = reinterpret_cast<uintptr_t>(memory.data()) & ~(page - 1);
  const auto to = reinterpret_cast<uintptr_t>(memory.data() + memory.size());
#if defined(MADV_POPULATE_WRITE)
  if (::madvise(reinterpret_cast<void*>(from), to - from, MADV_POPULATE_WRITE) == 0) {
    return;
  }
#endif
  // An older kernel: write to every page without changing it, whoever else uses the memory.
  for (uintptr_t at = from; at < to; at += page) {
    const auto inside = std::max(at, reinterpret_cast<uintptr_t>(memory.data()));
    std::atomic_ref<uint8_t>(*reinterpret_cast<uint8_t*>(inside))
        .fetch_add(0, std::memory_order_relaxed);
  }
}

}  // namespace

Result<std::unique_ptr<Domain>> Domain::open(Provider provider) {
  std::unique_ptr<Domain> self(new Domain(std::move(provider)));
  fi_info* info = self->provider_.info.get();
  const std::string_view name = self->provider_.name();
  if (const int err = fi_fabric(info->fabric_attr, self->fabric_.out(), nullptr); err != 0) {
    return fail_fi(err, "ofi: the fabric of provider {} cannot be opened", name);
  }
  if (const int err = fi_domain(self->fabric_.get(), info, self->domain_.out(), nullptr);
      err != 0) {
    return fail_fi(err, "ofi: domain {} of provider {} cannot be opened", info->domain_attr->name,
                   name);
  }
  fi_av_attr attributes{};
  attributes.type = info->domain_attr->av_type;
  if (const int err = fi_av_open(self->domain_.get(), &attributes, self->addresses_.out(), nullptr);
      err != 0) {
    return fail_fi(err, "ofi: provider {} opens no address vector", name);
  }
  return self;
}

Result<Registration> Domain::register_memory(std::span<std::byte> memory, Access access,
                                             fid_ep* endpoint) {
  if (provider_.wants(FI_MR_ALLOCATED)) {
    populate(memory);
  }
  uint64_t flags = FI_SEND | FI_RECV | FI_READ | FI_WRITE;
  if (access == Access::remote) {
    flags |= FI_REMOTE_READ | FI_REMOTE_WRITE;
  }
  const uint64_t wanted_key =
      provider_.wants(FI_MR_PROV_KEY) ? 0 : next_key_.fetch_add(1, std::memory_order_relaxed);
  Registration made;
  if (const int err = fi_mr_reg(domain_.get(), memory.data(), memory.size(), flags, 0, wanted_key,
                                0, made.mr.out(), nullptr);
      err != 0) {
    return fail_fi(err, "ofi: provider {} does not register {} bytes at {}", provider_.name(),
                   memory.size(), fmt::ptr(memory.data()));
  }
  if (provider_.wants(FI_MR_ENDPOINT)) {
    int err = fi_mr_bind(made.mr.get(), &endpoint->fid, 0);
    err = err != 0 ? err : fi_mr_enable(made.mr.get());
    if (err != 0) {
      return fail_fi(err, "ofi: provider {} does not bind {} bytes at {} to an endpoint",
                     provider_.name(), memory.size(), fmt::ptr(memory.data()));
    }
  }
  made.key = fi_mr_key(made.mr.get());
  if (made.key == FI_KEY_NOTAVAIL) {
    return fail(Errc::not_supported, "ofi: provider {} has keys of more than 8 bytes",
                provider_.name());
  }
  made.base = provider_.wants(FI_MR_VIRT_ADDR) ? reinterpret_cast<uintptr_t>(memory.data()) : 0;
  return made;
}

Result<fi_addr_t> Domain::insert_address(std::span<const std::byte> name) {
  fi_addr_t address = FI_ADDR_NOTAVAIL;
  const int inserted = fi_av_insert(addresses_.get(), name.data(), 1, &address, 0, nullptr);
  if (inserted != 1) {
    return fail_fi(inserted < 0 ? inserted : -FI_EINVAL,
                   "ofi: provider {} refuses a peer's address of {} bytes", provider_.name(),
                   name.size());
  }
  return address;
}

}  // namespace canopy::transport::ofi
