#include "shmem/world/findings.h"

#include "shmem/world/packing.h"

namespace canopy::shmem {

std::string Findings::pack() const {
  std::string out;
  pack_text(out, error);
  pack_number(out, missed.size());
  for (const int pe : missed) {
    pack_number(out, static_cast<uint64_t>(pe));
  }
  pack_text(out, transport_address);
  pack_text(out, watch_address);
  return out;
}

Result<Findings> Findings::unpack(std::string_view bytes, int pe) {
  Unpacking in{bytes};
  Findings findings;
  findings.error = in.text();
  for (uint64_t n = in.number(); in.ok && n > 0; --n) {
    findings.missed.push_back(static_cast<int>(in.number()));
  }
  findings.transport_address = in.text();
  findings.watch_address = in.text();
  if (!in.ok || !in.left.empty()) {
    return fail(Errc::parse, "the findings of PE {} ({} bytes) are not of this version of Canopy",
                pe, bytes.size());
  }
  return findings;
}

}  // namespace canopy::shmem
