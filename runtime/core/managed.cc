#include "runtime/core/managed.h"

#include "runtime/core/runtime.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <new>
#include <string>

namespace canopy {
namespace {

constexpr int32_t kHost = -1;  // as attributes tell locations
constexpr int32_t kMixed = -2;

Result<ManagedMemory*> managed_memory(Runtime& runtime) {
  CANOPY_ASSIGN(Driver * driver, runtime.driver());
  return driver->managed_memory();
}

Result<> check_pages(uint64_t bytes) {
  if (bytes == 0 || bytes % ManagedMemory::kPage != 0) {
    return fail(Errc::invalid_argument, "{} bytes of managed memory: a multiple of {} is wanted",
                bytes, ManagedMemory::kPage);
  }
  return {};
}

bool node_exists(int32_t node) {
  // Without a list of nodes (containers hide it) there is one.
  const std::string nodes = "/sys/devices/system/node";
  return node >= 0 && (::access((nodes + "/node" + std::to_string(node)).c_str(), F_OK) == 0 ||
                       (node == 0 && ::access(nodes.c_str(), F_OK) != 0));
}

Result<ManagedLocation> location_of(Runtime& runtime, const aclrtMemManagedLocation& location) {
  switch (location.type) {
    case ACL_MEM_LOCATIONTYPE_DEVICE: {
      CANOPY_ASSIGN(Driver * driver, runtime.driver());
      CANOPY_TRY(driver->check_device(location.id));
      return ManagedLocation{ManagedLocation::Kind::device, location.id};
    }
    case ACL_MEM_LOCATIONTYPE_HOST:
      return ManagedLocation{ManagedLocation::Kind::host, kHost};
    case ACL_MEM_LOCATIONTYPE_HOST_NUMA:
      if (!node_exists(location.id)) {
        return fail(Errc::invalid_argument, "the host has no NUMA node {}", location.id);
      }
      return ManagedLocation{ManagedLocation::Kind::host_numa, location.id};
    case ACL_MEM_LOCATIONTYPE_HOST_NUMA_CURRENT: {
      unsigned node = 0;
      if (::getcpu(nullptr, &node) != 0) {
        node = 0;  // the kernel does not tell: the one there always is
      }
      return ManagedLocation{ManagedLocation::Kind::host_numa, static_cast<int32_t>(node)};
    }
    case ACL_MEM_LOCATIONTYPE_INVALID:
      break;
  }
  return fail(Errc::invalid_argument, "{} is not a location of managed memory",
              static_cast<int>(location.type));
}

aclrtMemManagedLocationType type_of(const ManagedLocation& location) {
  switch (location.kind) {
    case ManagedLocation::Kind::none:
      return ACL_MEM_LOCATIONTYPE_INVALID;
    case ManagedLocation::Kind::device:
      return ACL_MEM_LOCATIONTYPE_DEVICE;
    case ManagedLocation::Kind::host:
      return ACL_MEM_LOCATIONTYPE_HOST;
    case ManagedLocation::Kind::host_numa:
      return ACL_MEM_LOCATIONTYPE_HOST_NUMA;
  }
  return ACL_MEM_LOCATIONTYPE_INVALID;
}

// The location of all pages, or none.
ManagedLocation common(std::span<const ManagedPage> pages, ManagedLocation ManagedPage::*which) {
  const ManagedLocation first = pages.front().*which;
  const bool same = std::all_of(pages.begin(), pages.end(),
                                [&](const ManagedPage& page) { return page.*which == first; });
  return same ? first : ManagedLocation();
}

// Who is noted as reaching every page; the rest of the list is kMixed.
void list_accessors(std::span<const ManagedPage> pages, std::span<int32_t> list) {
  uint64_t devices = ~uint64_t{0};
  bool host = true;
  for (const ManagedPage& page : pages) {
    devices &= page.accessed_by_devices;
    host = host && page.accessed_by_host;
  }
  size_t at = 0;
  if (host && at < list.size()) {
    list[at++] = kHost;
  }
  for (int32_t device = 0; device < kMaxDevices && at < list.size(); ++device) {
    if ((devices >> device & 1) != 0) {
      list[at++] = device;
    }
  }
  std::fill(list.begin() + static_cast<ptrdiff_t>(at), list.end(), kMixed);
}

int32_t number_of(aclrtMemManagedRangeAttribute attribute, std::span<const ManagedPage> pages) {
  const auto preferred = [&] { return common(pages, &ManagedPage::preferred); };
  const auto prefetched = [&] { return common(pages, &ManagedPage::prefetched); };
  switch (attribute) {
    case ACL_MEM_RANGE_ATTRIBUTE_READ_MOSTLY:
      return std::all_of(pages.begin(), pages.end(),
                         [](const ManagedPage& page) { return page.read_mostly; })
                 ? 1
                 : 0;
    case ACL_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION:
    case ACL_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION_ID:
      return preferred().id;
    case ACL_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION_TYPE:
      return type_of(preferred());
    case ACL_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION:
    case ACL_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION_ID:
      return prefetched().id;
    case ACL_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION_TYPE:
      return type_of(prefetched());
    case ACL_MEM_RANGE_ATTRIBUTE_ACCESSED_BY:
      break;
  }
  return 0;
}

struct PrefetchList {
  ManagedMemory* memory;
  size_t count;
  struct Entry {
    const void* address;
    uint64_t bytes;
    ManagedLocation to;
  };
  Entry* entries() { return reinterpret_cast<Entry*>(this + 1); }
};
static_assert(sizeof(PrefetchList) % alignof(PrefetchList::Entry) == 0);

void run_prefetches(void* argument) {
  auto* list = static_cast<PrefetchList*>(argument);
  for (size_t i = 0; i < list->count; ++i) {
    const PrefetchList::Entry& entry = list->entries()[i];
    list->memory->prefetch(entry.address, entry.bytes, entry.to);
  }
}

}  // namespace

Result<void*> allocate_managed(Runtime& runtime, uint64_t bytes) {
  CANOPY_TRY(runtime.current_context());
  CANOPY_ASSIGN(ManagedMemory * memory, managed_memory(runtime));
  return memory->allocate(bytes);
}

Result<> advise_managed(Runtime& runtime, const void* address, uint64_t bytes,
                        aclrtMemManagedAdviseType advice, aclrtMemManagedLocation where) {
  CANOPY_TRY(check_pages(bytes));
  CANOPY_ASSIGN(ManagedMemory * memory, managed_memory(runtime));
  const auto change = [&](auto&& one) {
    return memory->with_pages(address, bytes, [&](std::span<ManagedPage> pages) {
      std::for_each(pages.begin(), pages.end(), one);
    });
  };
  switch (advice) {
    case ACL_MEM_ADVISE_SET_READ_MOSTLY:
      return change([](ManagedPage& page) { page.read_mostly = true; });
    case ACL_MEM_ADVISE_UNSET_READ_MOSTLY:
      return change([](ManagedPage& page) { page.read_mostly = false; });
    case ACL_MEM_ADVISE_UNSET_PREFERRED_LOCATION:
      return change([](ManagedPage& page) { page.preferred = ManagedLocation(); });
    case ACL_MEM_ADVISE_SET_PREFERRED_LOCATION: {
      CANOPY_ASSIGN(const ManagedLocation location, location_of(runtime, where));
      return change([&](ManagedPage& page) { page.preferred = location; });
    }
    case ACL_MEM_ADVISE_SET_ACCESSED_BY:
    case ACL_MEM_ADVISE_UNSET_ACCESSED_BY: {
      CANOPY_ASSIGN(const ManagedLocation location, location_of(runtime, where));
      const bool set = advice == ACL_MEM_ADVISE_SET_ACCESSED_BY;
      if (location.kind == ManagedLocation::Kind::device) {
        const uint64_t bit = uint64_t{1} << location.id;
        return change([&](ManagedPage& page) {
          page.accessed_by_devices =
              set ? page.accessed_by_devices | bit : page.accessed_by_devices & ~bit;
        });
      }
      if (location.kind == ManagedLocation::Kind::host) {
        return change([&](ManagedPage& page) { page.accessed_by_host = set; });
      }
      return fail(Errc::invalid_argument,
                  "managed memory is accessed by devices and the host, not by NUMA nodes");
    }
  }
  return fail(Errc::invalid_argument, "{} is not one of aclrtMemManagedAdviseType",
              static_cast<int>(advice));
}

Result<> managed_attribute(Runtime& runtime, aclrtMemManagedRangeAttribute attribute,
                           const void* address, uint64_t bytes, void* data, size_t data_bytes) {
  if (attribute < ACL_MEM_RANGE_ATTRIBUTE_READ_MOSTLY ||
      attribute > ACL_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION_ID) {
    return fail(Errc::invalid_argument, "{} is not one of aclrtMemManagedRangeAttribute",
                static_cast<int>(attribute));
  }
  const bool list = attribute == ACL_MEM_RANGE_ATTRIBUTE_ACCESSED_BY;
  if (data_bytes == 0 || data_bytes % sizeof(int32_t) != 0 ||
      (!list && data_bytes != sizeof(int32_t))) {
    return fail(Errc::invalid_argument, "attribute {} of managed memory does not fill {} bytes",
                static_cast<int>(attribute), data_bytes);
  }
  CANOPY_ASSIGN(ManagedMemory * memory, managed_memory(runtime));
  return memory->with_pages(address, bytes, [&](std::span<ManagedPage> pages) {
    auto* numbers = static_cast<int32_t*>(data);
    if (list) {
      list_accessors(pages, std::span(numbers, data_bytes / sizeof(int32_t)));
    } else {
      *numbers = number_of(attribute, pages);
    }
  });
}

Result<> prefetch_managed(Runtime& runtime, std::span<const ManagedPrefetch> ranges, void* handle) {
  CANOPY_ASSIGN(Stream * stream, runtime.stream(handle));
  CANOPY_ASSIGN(ManagedMemory * memory, managed_memory(runtime));
  std::vector<ManagedLocation> locations;
  for (const ManagedPrefetch& range : ranges) {
    CANOPY_TRY(check_pages(range.bytes));
    CANOPY_TRY(memory->with_pages(range.address, range.bytes, [](std::span<ManagedPage>) {}));
    CANOPY_ASSIGN(const ManagedLocation location, location_of(runtime, range.location));
    locations.push_back(location);
  }
  stream->post(sizeof(PrefetchList) + ranges.size() * sizeof(PrefetchList::Entry),
               [&](Sqe& sqe, std::byte* arguments) {
                 auto* list = new (arguments) PrefetchList{memory, ranges.size()};
                 for (size_t i = 0; i < ranges.size(); ++i) {
                   new (list->entries() + i)
                       PrefetchList::Entry{ranges[i].address, ranges[i].bytes, locations[i]};
                 }
                 sqe.kind = SqeKind::call;
                 sqe.body.call = {run_prefetches, list, "prefetch"};
               });
  return {};
}

}  // namespace canopy
