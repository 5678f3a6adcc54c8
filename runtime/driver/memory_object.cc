#include "runtime/driver/memory_object.h"

#include "runtime/driver/host_table.h"

namespace canopy {

MemoryObject::~MemoryObject() = default;

std::shared_ptr<MemoryObject> MemoryObject::own(PhysicalMemory memory, PageKind pages) {
  std::shared_ptr<MemoryObject> object(new MemoryObject);
  object->bytes_ = memory.bytes();
  object->device_ = memory.device();
  object->pages_ = pages;
  object->own_ = std::make_shared<PhysicalMemory>(std::move(memory));
  return object;
}

Result<std::shared_ptr<MemoryObject>> MemoryObject::import(Sharing& sharing, const HostTable& table, const SharedKey& key,
                                                           Lost on_lost) {
  std::shared_ptr<MemoryObject> object(new MemoryObject);
  MemoryObject* raw = object.get();  // outlives import_, and with it the callback
  CANOPY_ASSIGN(object->import_, sharing.import(ObjectKind::memory, key, [raw, lost = std::move(on_lost)] {
    raw->lost_.store(true, std::memory_order_release);
    lost(*raw);
  }));
  const Import& import = object->import_;
  object->bytes_ = import.bytes;
  object->pages_ = PageKind::huge;
  if (import.host_device >= 0) {
    object->device_ = table.local_id(import.host_device);
    if (object->device_ < 0) {
      return fail(Errc::bad_device,
                  "the memory lies on device {} of the host, which this process does not see (ASCEND_RT_VISIBLE_DEVICES)",
                  import.host_device);
    }
  }
  return object;
}

}  // namespace canopy
