// ipc_import_us: from the key until another process's 64 MiB are mapped. p2p_copy_GBps: from a card
// of this process to a card of another one's, 64 MiB at a time.
#include "tests/bench/sharing/sharing.h"

namespace canopy::bench {
namespace {

constexpr size_t kWords = kShared / sizeof(uint64_t);

// Device 0's memory, full of `value`, until the other process has said that it is done.
void export_until_done(Line& line, uint64_t value) {
  Session session;
  HbmArray<uint64_t> memory(kWords);
  memory[kWords - 1] = value;
  const Key key = export_memory(memory.address(), kShared);
  line.say(key);
  line.hear();
  must(aclrtIpcMemClose(key.text), "aclrtIpcMemClose");
}

}  // namespace

void ipc_import_us(double ns_per_tick) {
  constexpr uint64_t kMark = 0x1122334455667788;
  std::vector<double> samples;
  run_pair(
      true,
      [&](Line& line) {
        Session session;
        const Key key = line.hear<Key>();
        for (size_t i = 0; i < bench_repeats(1000); ++i) {
          const uint64_t start = bench_ticks();
          void* memory = import_memory(key);
          samples.push_back(static_cast<double>(bench_ticks() - start) * ns_per_tick / 1e3);
          expect_equal(static_cast<uint64_t*>(memory)[kWords - 1], kMark,
                       "the imported memory's last word");
          must(aclrtIpcMemClose(key.text), "aclrtIpcMemClose");
        }
        line.say();
      },
      [](Line& line) { export_until_done(line, kMark); });
  report("ipc_import_us", samples);
}

// Each copy has a last word of its own, which the owner of the target has to see.
void p2p_copy(double ns_per_tick) {
  std::vector<double> rates;
  run_pair(
      false,
      [&](Line& line) {
        Session session(1);
        Stream stream;
        HbmArray<uint64_t> source(kWords);
        const Key key = line.hear<Key>();
        void* target = import_memory(key);
        const size_t copies = bench_repeats(40);
        for (uint64_t i = 1; i <= copies + 4; ++i) {
          source[kWords - 1] = i;
          const uint64_t start = bench_ticks();
          must(aclrtMemcpyAsync(target, kShared, source.address(), kShared,
                                ACL_MEMCPY_DEVICE_TO_DEVICE, stream),
               "aclrtMemcpyAsync");
          stream.synchronize();
          const double ns = static_cast<double>(bench_ticks() - start) * ns_per_tick;
          line.say(i);
          expect_equal(line.hear<uint64_t>(), i, "the last word that the target's owner sees");
          if (i > 4) {
            rates.push_back(static_cast<double>(kShared) / ns);
          }
        }
        line.say(uint64_t{0});
        must(aclrtIpcMemClose(key.text), "aclrtIpcMemClose");
        line.say();
      },
      [](Line& line) {
        Session session;
        HbmArray<uint64_t> memory(kWords);
        const Key key = export_memory(memory.address(), kShared);
        line.say(key);
        while (line.hear<uint64_t>() != 0) {
          line.say(memory[kWords - 1]);
        }
        line.hear();
        must(aclrtIpcMemClose(key.text), "aclrtIpcMemClose");
      });
  report("p2p_copy_GBps", rates, true);
}

}  // namespace canopy::bench
