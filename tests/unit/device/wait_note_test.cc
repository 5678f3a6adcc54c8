// What reports tell of who waits: the word, what is wanted, what it is.
#include "runtime/device/wait_note.h"

#include "runtime/base/mapping.h"
#include "runtime/device/notify_cell.h"
#include "runtime/device/peek.h"
#include "tests/unit/device/rig.h"

#include <gtest/gtest.h>

#include <sys/mman.h>

#include <atomic>
#include <string>

namespace canopy::test {
namespace {

std::string address_of(const volatile void* address) {
  return fmt::format("{}", fmt::ptr(const_cast<const void*>(address)));
}

void await_report(Rig& rig, const std::string& line) {
  rig.await([&] { return describe_waits().find(line) != std::string::npos; }, nullptr,
            line.c_str());
}

TEST(Peek, ReadsWordsOfEverySize) {
  const uint64_t word = 0x8877'6655'4433'2211;
  EXPECT_EQ(peek(&word, 1), 0x11u);
  EXPECT_EQ(peek(&word, 2), 0x2211u);
  EXPECT_EQ(peek(&word, 4), 0x4433'2211u);
  EXPECT_EQ(peek(&word, 8), word);
  EXPECT_FALSE(peek(&word, 9));
}

TEST(Peek, SaysThatMemoryIsGone) {
  EXPECT_FALSE(peek(nullptr, 8));
  void* page = ::mmap(nullptr, page_size(), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(page, MAP_FAILED);
  EXPECT_EQ(peek(page, 8), 0u);
  ::munmap(page, page_size());
  EXPECT_FALSE(peek(page, 8));
}

TEST(WordFacts, AreASentenceForEveryTest) {
  const int32_t word = -3;
  const std::string at = "the word at " + address_of(&word) + " to be ";
  const auto text = [&](WordTest test, uint64_t wanted, bool is_signed) {
    return describe(WordFacts{&word, wanted, 4, test, is_signed});
  };
  EXPECT_EQ(text(WordTest::none, 0, true), "");
  EXPECT_EQ(text(WordTest::equal, 4, true), at + "equal to 4, it is -3");
  EXPECT_EQ(text(WordTest::not_equal, static_cast<uint32_t>(-3), true),
            at + "other than -3, it is -3");
  EXPECT_EQ(text(WordTest::above, 4, true), at + "above 4, it is -3");
  EXPECT_EQ(text(WordTest::at_least, 4, false), at + "at least 4, it is 4294967293");
  EXPECT_EQ(text(WordTest::below, 4, false), at + "below 4, it is 4294967293");
  EXPECT_EQ(text(WordTest::at_most, 4, false), at + "at most 4, it is 4294967293");
  EXPECT_EQ(text(WordTest::some_bits, 2, false), at + "with a bit of 0x2, it is 0xfffffffd");
  EXPECT_EQ(text(WordTest::all_bits, 2, false), at + "with all bits of 0x2, it is 0xfffffffd");
  EXPECT_EQ(text(WordTest::some_zero, 2, false),
            at + "without a bit outside of 0x2, it is 0xfffffffd");
  EXPECT_EQ(describe(WordFacts{nullptr, 1, 8, WordTest::equal}),
            "the word at 0x0 to be equal to 1, which cannot be read");
}

struct Words {
  alignas(8) std::atomic<uint64_t> word{3};
};

// Leaves the wait's end to `word` being 7, and tells of it.
void wait_for_seven(const void* args) {
  auto& words = **static_cast<Words* const*>(args);
  if (GetBlockIdx() == 0) {
    const canopy_awaited_word awaited = {&words.word, 7, 8, CANOPY_WORD_EQUAL, 0};
    canopy_wait_for_word([](void* p) { return static_cast<Words*>(p)->word.load() == 7 ? 1 : 0; },
                         &words, "a seven", &awaited);
    canopy_flag_set(2);
  } else if (GetBlockIdx() == 1) {
    canopy_flag_wait(2);
  }
  SyncAll();
}

TEST(WaitNotes, OfBlocksTellTheWordTheWantedAndTheCurrentValue) {
  const KernelImage image = image_of("sevens", &wait_for_seven);
  for (uint32_t executors : {1u, 2u}) {
    Rig rig({.executors = executors});
    Words words;
    Words* args = &words;
    RigStream stream(rig);
    stream.kernel(image, 3, &args);
    await_report(rig, "kernel sevens block 0 of 3: waits for a seven: the word at " +
                          address_of(&words.word) + " to be equal to 7, it is 3");
    await_report(rig, "kernel sevens block 1 of 3: waits for flag: the word at ");
    await_report(rig, "to be at least 1, it is 0");
    await_report(rig, "kernel sevens block 2 of 3: waits for SyncAll: the word at ");
    await_report(rig, "to be at least 3, it is 1");
    words.word.store(6);
    await_report(rig, "to be equal to 7, it is 6");
    words.word.store(7);
    stream.sync();
    EXPECT_EQ(describe_waits(), "");
  }
}

TEST(WaitNotes, AWordThatIsNoneIsLeftOut) {
  const KernelImage image = image_of("wordless", [](const void* args) {
    auto& words = **static_cast<Words* const*>(args);
    const canopy_awaited_word awaited = {&words.word, 7, 3, CANOPY_WORD_EQUAL,
                                         0};  // no word has 3 bytes
    canopy_wait_for_word([](void* p) { return static_cast<Words*>(p)->word.load() == 7 ? 1 : 0; },
                         &words, "a seven", &awaited);
  });
  Rig rig;
  Words words;
  Words* args = &words;
  RigStream stream(rig);
  stream.kernel(image, 1, &args);
  await_report(rig, "kernel wordless block 0 of 1: waits for a seven");
  EXPECT_EQ(describe_waits(), "\n  kernel wordless block 0 of 1: waits for a seven");
  words.word.store(7);
}

TEST(WaitNotes, OfAiCpuBlocksAreTold) {
  const KernelImage image = image_of("host_code", &wait_for_seven, CoreKind::aicpu);
  Rig rig;
  Words words;
  Words* args = &words;
  RigStream stream(rig);
  stream.post([&](Sqe& sqe) {
    sqe.kind = SqeKind::kernel;
    sqe.launch = Sqe::kOnAiCpu;
    sqe.core_kind = static_cast<uint8_t>(CoreKind::aicpu);
    sqe.blocks = 1;
    sqe.body.kernel.entry = image.entry;
    sqe.body.kernel.args = &args;
    sqe.body.kernel.image = &image;
  });
  await_report(rig, "kernel host_code block 0 of 1: waits for a seven: the word at ");
  words.word.store(7);
}

TEST(WaitNotes, OfStreamsTellTheRecordTheNotifyAndTheWord) {
  Rig rig;
  RigStream for_event(rig);
  RigStream for_notify(rig);
  RigStream for_value(rig);
  RigStream recorder(rig);
  EventCell* cell = *rig.cores.events().take(EventCell::kHolder + EventCell::kRecord);
  cell->add_shares(EventCell::kWait);
  for_event.post([&](Sqe& sqe) {
    sqe.kind = SqeKind::event_wait;
    sqe.body.event = {cell, 11};
  });
  NotifyCell* notify = NotifyCell::make();
  notify->acquire_reference();
  for_notify.post([&](Sqe& sqe) {
    sqe.kind = SqeKind::notify_wait;
    sqe.body.notify_wait = {notify, "counting notify", 0, 5, 9, NotifyTest::above, false};
  });
  Words words;
  for_value.post([&](Sqe& sqe) {
    sqe.kind = SqeKind::value_wait;
    sqe.body.value = {reinterpret_cast<uint64_t*>(&words.word), 0x2A, ValueTest::equal, nullptr, 0};
  });
  await_report(rig,
               "device 0 stream 1: waits for the record of event 11, which has not been made yet");
  await_report(rig, "device 0 stream 1: waits for counting notify 5 to be above 9, it is 0");
  await_report(rig, "device 0 stream 1: waits for the word at " + address_of(&words.word) +
                        " to be equal to 0x2a, it is 0x3");
  recorder.post([&](Sqe& sqe) {
    sqe.kind = SqeKind::event_record;
    sqe.timed = 0;
    sqe.body.event.cell = cell;
  });
  for (uint32_t value : {9u, 10u}) {
    notify->acquire_reference();
    recorder.post([&](Sqe& sqe) {
      sqe.kind = SqeKind::notify_record;
      sqe.body.notify_record = {notify, value, NotifyChange::set};
    });
    if (value == 9) {
      await_report(rig, "to be above 9, it is 9");
    }
  }
  words.word.store(0x2A);
  for (RigStream* stream : {&for_event, &for_notify, &for_value, &recorder}) {
    stream->sync();
  }
  EXPECT_EQ(describe_waits(), "");
  cell->drop_reference();
  notify->drop_reference();
}

}  // namespace
}  // namespace canopy::test
