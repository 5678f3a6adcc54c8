#include "shmem/world/card.h"

#include "runtime/base/random_id.h"
#include "shmem/world/packing.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <climits>
#include <cstring>
#include <fstream>

namespace canopy::shmem {
namespace {

constexpr uint64_t kCardMagic = 0x43435235;  // "CCR5"; the last digit rises with the format

std::string affinity() {
  // The kernel's mask may be wider than cpu_set_t: grow until it fits.
  for (size_t bytes = sizeof(cpu_set_t); bytes <= (1u << 20); bytes *= 2) {
    std::string mask(bytes, '\0');
    if (::sched_getaffinity(0, bytes, reinterpret_cast<cpu_set_t*>(mask.data())) == 0) {
      mask.resize(mask.find_last_not_of('\0') + 1);
      return mask;
    }
  }
  return "";
}

// A UUID: 32 hexadecimal digits with dashes between.
std::array<uint64_t, 2> boot_id() {
  std::string text;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> text;
  std::erase(text, '-');
  std::array<uint64_t, 2> id{};
  for (size_t half = 0; half < id.size() && text.size() == 32; ++half) {
    const char* digits = text.data() + 16 * half;
    (void)std::from_chars(digits, digits + 16, id[half], 16);
  }
  return id;
}

}  // namespace

std::string Card::pack() const {
  std::string out;
  pack_number(out, kCardMagic);
  pack_number(out, static_cast<uint64_t>(pid));
  pack_number(out, process_nonce);
  pack_number(out, control_nonce);
  pack_number(out, control_id);
  pack_number(out, heap_id);
  pack_number(out, heap_bytes);
  pack_number(out, static_cast<uint64_t>(heap_by_user));
  pack_number(out, globals_id);
  pack_number(out, globals_bytes);
  pack_number(out, globals_identity);
  pack_number(out, static_cast<uint64_t>(debug));
  pack_number(out, static_cast<uint64_t>(way));
  pack_number(out, static_cast<uint64_t>(divided));
  pack_number(out, division);
  pack_number(out, boot_id[0]);
  pack_number(out, boot_id[1]);
  pack_number(out, broker.high);
  pack_number(out, broker.low);
  pack_text(out, host.text());
  pack_text(out, cpus.text());
  return out;
}

Result<Card> Card::unpack(std::string_view bytes, int pe) {
  Unpacking in{bytes};
  Card card;
  const uint64_t magic = in.number();
  card.pid = static_cast<int32_t>(in.number());
  card.process_nonce = in.number();
  card.control_nonce = in.number();
  card.control_id = in.number();
  card.heap_id = in.number();
  card.heap_bytes = in.number();
  card.heap_by_user = in.number() != 0;
  card.globals_id = in.number();
  card.globals_bytes = in.number();
  card.globals_identity = in.number();
  card.debug = in.number() != 0;
  card.way = static_cast<PathWay>(in.number());
  card.divided = in.number() != 0;
  card.division = static_cast<uint32_t>(in.number());
  card.boot_id[0] = in.number();
  card.boot_id[1] = in.number();
  card.broker.high = in.number();
  card.broker.low = in.number();
  card.host = CommonText(in.text());
  card.cpus = CommonText(in.text());
  if (!in.ok || magic != kCardMagic || card.way > PathWay::faulty || !in.left.empty()) {
    return fail(Errc::parse, "the card of PE {} ({} bytes) is not of this version of Canopy", pe,
                bytes.size());
  }
  return card;
}

Card card_of_this_process() {
  static const uint64_t nonce = random_id();
  Card card;
  card.pid = ::getpid();
  // Mixed with the pid: a forked child that starts a job of its own is another process.
  card.process_nonce = nonce ^ static_cast<uint64_t>(card.pid);
  card.boot_id = boot_id();
  char host[HOST_NAME_MAX + 1] = {};
  if (::gethostname(host, sizeof host - 1) == 0) {
    card.host = CommonText(host);
  }
  card.cpus = CommonText(affinity());
  return card;
}

int cpus_together(const std::vector<Card>& cards) {
  std::string all;
  for (const Card& card : cards) {
    const std::string& cpus = card.cpus.text();
    all.resize(std::max(all.size(), cpus.size()));
    for (size_t i = 0; i < cpus.size(); ++i) {
      all[i] = static_cast<char>(all[i] | cpus[i]);
    }
  }
  int count = 0;
  for (char byte : all) {
    count += std::popcount(static_cast<unsigned char>(byte));
  }
  return std::max(1, count);
}

}  // namespace canopy::shmem
