#include "shmem/world/card.h"

#include "runtime/base/random_id.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <climits>
#include <cstring>
#include <fstream>

namespace canopy::shmem {
namespace {

constexpr uint64_t kCardMagic =
    0x43414E4F43415244;  // "CANOCARD"; the last digit rises with the format

void put(std::string& out, uint64_t value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof bytes);
}
void put(std::string& out, const std::string& text) {
  put(out, text.size());
  out += text;
}

// Reads what put() wrote; `ok` turns false at the first short field and stays so.
struct Reader {
  std::string_view left;
  bool ok = true;

  uint64_t number() {
    uint64_t value = 0;
    if (left.size() < sizeof value) {
      ok = false;
      return 0;
    }
    std::memcpy(&value, left.data(), sizeof value);
    left.remove_prefix(sizeof value);
    return value;
  }
  std::string text() {
    const uint64_t size = number();
    if (!ok || left.size() < size) {
      ok = false;
      return "";
    }
    std::string value(left.substr(0, size));
    left.remove_prefix(size);
    return value;
  }
};

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

}  // namespace

std::string Card::pack() const {
  std::string out;
  put(out, kCardMagic);
  put(out, static_cast<uint64_t>(pid));
  put(out, process_nonce);
  put(out, control_nonce);
  put(out, control_id);
  put(out, heap_id);
  put(out, heap_bytes);
  put(out, static_cast<uint64_t>(heap_by_user));
  put(out, boot_id);
  put(out, host);
  put(out, broker);
  put(out, cpus);
  return out;
}

Result<Card> Card::unpack(std::string_view bytes, int pe) {
  Reader in{bytes};
  Card card;
  const uint64_t magic = in.number();
  card.pid = static_cast<int32_t>(in.number());
  card.process_nonce = in.number();
  card.control_nonce = in.number();
  card.control_id = in.number();
  card.heap_id = in.number();
  card.heap_bytes = in.number();
  card.heap_by_user = in.number() != 0;
  card.boot_id = in.text();
  card.host = in.text();
  card.broker = in.text();
  card.cpus = in.text();
  if (!in.ok || magic != kCardMagic || !in.left.empty()) {
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
  std::ifstream("/proc/sys/kernel/random/boot_id") >> card.boot_id;
  char host[HOST_NAME_MAX + 1] = {};
  if (::gethostname(host, sizeof host - 1) == 0) {
    card.host = host;
  }
  card.cpus = affinity();
  return card;
}

int cpus_together(const std::vector<Card>& cards) {
  std::string all;
  for (const Card& card : cards) {
    all.resize(std::max(all.size(), card.cpus.size()));
    for (size_t i = 0; i < card.cpus.size(); ++i) {
      all[i] = static_cast<char>(all[i] | card.cpus[i]);
    }
  }
  int count = 0;
  for (char byte : all) {
    count += std::popcount(static_cast<unsigned char>(byte));
  }
  return std::max(1, count);
}

}  // namespace canopy::shmem
