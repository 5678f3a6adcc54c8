// Random streams of random priorities on one executor: whatever is ready with a higher priority
// runs first, between any two tasks. (The interface says so of streams; random programs do not see
// it, because no result depends on it.)
#include "tests/unit/device/rig.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace canopy::test {
namespace {

// What a stream is given: a task that writes its stream's number down, or a record of cell `cell`,
// or a wait for it.
struct Step {
  enum class Kind { log, record, wait } kind;
  size_t cell = 0;
};

struct Plan {
  std::vector<uint8_t> priorities;
  std::vector<std::vector<Step>> streams;
  size_t cells = 0;
  std::vector<size_t> recorder;  // of each cell, its stream
  std::vector<size_t> order;     // the stream of each step, as they are queued
};

Plan make_plan(uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto draw = [&](size_t below) { return static_cast<size_t>(random() % below); };
  Plan plan;
  const size_t streams = 2 + draw(7);
  for (size_t i = 0; i < streams; ++i) {
    plan.priorities.push_back(static_cast<uint8_t>(draw(Strand::kPriorities)));
  }
  plan.streams.resize(streams);
  for (int i = 0; i < 60; ++i) {
    const size_t stream = draw(streams);
    Step step{Step::Kind::log};
    if (const size_t kind = draw(10); kind < 3) {
      step = {Step::Kind::record, plan.cells++};
      plan.recorder.push_back(stream);
    } else if (kind < 6 && plan.cells != 0) {
      step = {Step::Kind::wait, plan.cells - 1 - draw(std::min<size_t>(plan.cells, 4))};
    }
    plan.streams[stream].push_back(step);
    plan.order.push_back(stream);
  }
  return plan;
}

// What can be known from outside: how far each stream has got at least.
class Model {
 public:
  explicit Model(const Plan& plan) : plan_(plan), at_(plan.streams.size()), recorded_(plan.cells) {}

  // `stream` has run its next task that logs. "" or why it was not its turn.
  std::string logged(size_t stream) {
    for (;;) {
      if (const size_t other = ready_above(plan_.priorities[stream]); other != kNone) {
        return fmt::format("a task of priority {} ran while one of priority {} was ready",
                           plan_.priorities[stream], plan_.priorities[other]);
      }
      if (at_log(stream)) {
        ++at_[stream];
        return "";
      }
      if (!advance(stream) && !explain(next(stream)->cell)) {
        return fmt::format("a task of stream {} ran before what its stream waits for", stream);
      }
    }
  }

 private:
  static constexpr size_t kNone = ~size_t{0};

  const Step* next(size_t stream) const {
    const auto& steps = plan_.streams[stream];
    return at_[stream] == steps.size() ? nullptr : &steps[at_[stream]];
  }
  bool at_log(size_t stream) const {
    const Step* step = next(stream);
    return step != nullptr && step->kind == Step::Kind::log;
  }
  // Over one record, or one wait that passes.
  bool advance(size_t stream) {
    const Step* step = next(stream);
    if (step == nullptr || step->kind == Step::Kind::log ||
        (step->kind == Step::Kind::wait && !recorded_[step->cell])) {
      return false;
    }
    if (step->kind == Step::Kind::record) {
      recorded_[step->cell] = true;
    }
    ++at_[stream];
    return true;
  }
  // Nobody sees when another stream records; but this cell has been recorded, so its stream has got
  // so far.
  bool explain(size_t cell) {
    const size_t stream = plan_.recorder[cell];
    while (!recorded_[cell]) {
      if (!advance(stream) && (at_log(stream) || !explain(next(stream)->cell))) {
        return false;
      }
    }
    return true;
  }
  // A stream of a higher priority that comes to a task that logs without anybody's help.
  size_t ready_above(uint8_t priority) {
    for (bool again = true; again;) {
      again = false;
      for (size_t i = 0; i < at_.size(); ++i) {
        if (plan_.priorities[i] >= priority) {
          continue;
        }
        while (advance(i)) {
          again = true;
        }
        if (at_log(i)) {
          return i;
        }
      }
    }
    return kNone;
  }

  const Plan& plan_;
  std::vector<size_t> at_;
  std::vector<bool> recorded_;
};

struct Writer {
  std::vector<size_t>* log;
  size_t stream;
  static void write(void* self) {
    auto* writer = static_cast<Writer*>(self);
    writer->log->push_back(writer->stream);
  }
};

// The order in which the tasks that log have run.
std::vector<size_t> run(Rig& rig, const Plan& plan) {
  std::vector<size_t> log;
  std::vector<Writer> writers;
  for (size_t i = 0; i < plan.streams.size(); ++i) {
    writers.push_back({&log, i});
  }
  HeldExecutor held(rig);
  std::vector<std::unique_ptr<RigStream>> streams;
  for (const uint8_t priority : plan.priorities) {
    streams.push_back(std::make_unique<RigStream>(rig, priority));
  }
  std::vector<EventCell*> cells(plan.cells);
  std::vector<size_t> next(plan.streams.size());
  for (const size_t stream : plan.order) {
    const Step& step = plan.streams[stream][next[stream]++];
    switch (step.kind) {
      case Step::Kind::log:
        streams[stream]->call(&Writer::write, &writers[stream]);
        break;
      case Step::Kind::record:
        cells[step.cell] = streams[stream]->record();
        break;
      case Step::Kind::wait:
        streams[stream]->wait(cells[step.cell]);
    }
  }
  held.open();
  for (const auto& stream : streams) {
    stream->sync();
  }
  for (EventCell* cell : cells) {
    cell->drop_reference();
  }
  return log;
}

TEST(RandomPriorities, TheHighestReadyOneRunsBetweenAnyTwoTasks) {
  // One executor, and nobody who helps when it is held up.
  Rig rig(Rig::Shape{.executors = 1, .stuck_ms = 3'600'000});
  for (uint64_t seed = 1; seed <= 2'000 / kSlowdown; ++seed) {
    const Plan plan = make_plan(seed);
    const std::vector<size_t> log = run(rig, plan);
    Model model(plan);
    for (size_t i = 0; i < log.size(); ++i) {
      ASSERT_EQ(model.logged(log[i]), "")
          << "seed " << seed << ", task " << i << " of " << log.size();
    }
  }
}

}  // namespace
}  // namespace canopy::test
