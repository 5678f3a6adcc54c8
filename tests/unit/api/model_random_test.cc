// Random models against a sequential reading of what was queued: which tasks run, how often, and in
// which order within a stream and across events.
#include "tests/unit/api/models.h"

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <utility>

namespace canopy::test {
namespace {

// What one stream does. Notes are numbered over the whole model.
struct Step {
  enum class Kind { note, record, wait, branch, loop };
  Kind kind;
  int number = 0;           // note: its own; record, wait: the event's
  std::vector<int> inside;  // branch, loop: the notes that are skipped, or repeated
  int word = 0;             // branch: taken when it is 1; loop: turns that are left
};

struct Edge {
  int before;  // the note in front of the record
  int after;   // the note behind the wait
};

class RandomModel : public ModelTest {
 protected:
  static constexpr int kWords = 60;

  void build(uint32_t seed);
  void fill_words();
  // The notes of a stream, by what the words are now.
  std::vector<int> expected(size_t stream) const;
  void check_run();

  std::mt19937 random_;
  std::vector<std::vector<Step>> steps_;
  std::vector<Edge> edges_;
  std::map<int, size_t> stream_of_;

 private:
  int below(int n) { return static_cast<int>(random_() % static_cast<uint32_t>(n)); }
  Step new_note(size_t stream) {
    stream_of_[next_note_] = stream;
    return {Step::Kind::note, next_note_++, {}, 0};
  }
  void add_step(size_t stream);
  void queue(aclrtStream stream, const Step& step);
  void jump(aclrtStream stream, std::vector<aclrtLabel> labels, uint64_t* word);
  static aclrtLabel make_label() {
    aclrtLabel label = nullptr;
    EXPECT_EQ(aclrtCreateLabel(&label), ACL_SUCCESS);
    return label;
  }

  int next_note_ = 0;
  int next_word_ = 0;
  std::vector<std::pair<aclrtEvent, int>> recorded_;  // with the note in front
  std::vector<aclrtStream> streams_;
};

void RandomModel::jump(aclrtStream stream, std::vector<aclrtLabel> labels, uint64_t* word) {
  aclrtLabelList list = nullptr;
  ACL_OK(aclrtCreateLabelList(labels.data(), labels.size(), &list));
  ACL_OK(aclrtSwitchLabelByIndex(word, static_cast<uint32_t>(labels.size()), list, stream));
}

void RandomModel::queue(aclrtStream stream, const Step& step) {
  switch (step.kind) {
    case Step::Kind::note:
      ACL_OK(note(stream, step.number));
      return;
    case Step::Kind::record:
    case Step::Kind::wait: {
      aclrtEvent event = recorded_[static_cast<size_t>(step.number)].first;
      ACL_OK(step.kind == Step::Kind::record ? aclrtRecordEvent(event, stream)
                                             : aclrtStreamWaitEvent(stream, event));
      return;
    }
    case Step::Kind::branch: {
      aclrtLabel inside = make_label();
      aclrtLabel behind = make_label();
      jump(stream, {behind, inside}, words_ + step.word);
      ACL_OK(aclrtSetLabel(inside, stream));
      for (int number : step.inside) {
        ACL_OK(note(stream, number));
      }
      ACL_OK(aclrtSetLabel(behind, stream));
      return;
    }
    case Step::Kind::loop: {
      // word: turns that are left; the word behind it: 0 while some are.
      aclrtLabel top = make_label();
      aclrtLabel behind = make_label();
      ACL_OK(aclrtSetLabel(top, stream));
      for (int number : step.inside) {
        ACL_OK(note(stream, number));
      }
      ACL_OK(aclrtLaunchHostFunc(
          stream,
          [](void* p) {
            auto* words = static_cast<uint64_t*>(p);
            const uint64_t left = std::atomic_ref(words[0]).fetch_sub(1) - 1;
            std::atomic_ref(words[1]).store(left == 0 ? 1 : 0);
          },
          words_ + step.word));
      jump(stream, {top, behind}, words_ + step.word + 1);
      ACL_OK(aclrtSetLabel(behind, stream));
      return;
    }
  }
}

void RandomModel::add_step(size_t stream) {
  std::vector<Step>& steps = steps_[stream];
  const int kind = below(6);
  if (kind == 0 && recorded_.size() < 40) {
    aclrtEvent event = nullptr;
    ACL_OK(aclrtCreateEventWithFlag(&event, ACL_EVENT_SYNC));
    steps.push_back(new_note(stream));
    recorded_.emplace_back(event, steps.back().number);
    steps.push_back({Step::Kind::record, static_cast<int>(recorded_.size()) - 1, {}, 0});
  } else if (kind == 1 && !recorded_.empty()) {
    const int event = below(static_cast<int>(recorded_.size()));
    steps.push_back({Step::Kind::wait, event, {}, 0});
    queue(streams_[stream], steps.back());
    steps.push_back(new_note(stream));
    edges_.push_back({recorded_[static_cast<size_t>(event)].second, steps.back().number});
    queue(streams_[stream], steps.back());
    return;
  } else if (kind <= 3 && next_word_ + 2 <= kWords) {
    Step step{kind == 2 ? Step::Kind::branch : Step::Kind::loop, 0, {}, next_word_};
    next_word_ += 2;
    for (int i = 0; i <= below(3); ++i) {
      step.inside.push_back(new_note(stream).number);
    }
    steps.push_back(step);
  } else {
    steps.push_back(new_note(stream));
  }
  if (steps.back().kind == Step::Kind::record) {
    queue(streams_[stream], steps[steps.size() - 2]);
  }
  queue(streams_[stream], steps.back());
}

void RandomModel::build(uint32_t seed) {
  random_.seed(seed);
  const auto count = static_cast<size_t>(1 + below(4));
  steps_.resize(count);
  for (size_t i = 0; i < count; ++i) {
    streams_.push_back(bound());
  }
  const int steps = 20 + below(60);
  for (int i = 0; i < steps; ++i) {
    add_step(static_cast<size_t>(below(static_cast<int>(count))));
  }
  ACL_OK(end_and_build(streams_[0]));
}

void RandomModel::fill_words() {
  for (int i = 0; i < kWords; ++i) {
    set_word(i, 0);
  }
  for (const auto& steps : steps_) {
    for (const Step& step : steps) {
      if (step.kind == Step::Kind::branch) {
        set_word(step.word, random_() % 2);
      } else if (step.kind == Step::Kind::loop) {
        set_word(step.word, 1 + random_() % 4);
      }
    }
  }
}

std::vector<int> RandomModel::expected(size_t stream) const {
  std::vector<int> notes;
  for (const Step& step : steps_[stream]) {
    const uint64_t word = std::atomic_ref(words_[step.word]).load();
    const uint64_t turns = step.kind == Step::Kind::branch || step.kind == Step::Kind::loop ? word : 0;
    if (step.kind == Step::Kind::note) {
      notes.push_back(step.number);
    }
    for (uint64_t turn = 0; turn < turns; ++turn) {
      notes.insert(notes.end(), step.inside.begin(), step.inside.end());
    }
  }
  return notes;
}

void RandomModel::check_run() {
  fill_words();
  std::vector<std::vector<int>> wanted;
  for (size_t i = 0; i < steps_.size(); ++i) {
    wanted.push_back(expected(i));
  }
  ACL_OK(aclmdlRIExecute(model_, -1));
  const std::vector<int> seen = trace();
  std::vector<std::vector<int>> by_stream(steps_.size());
  std::map<int, size_t> place;
  for (size_t i = 0; i < seen.size(); ++i) {
    by_stream[stream_of_.at(seen[i])].push_back(seen[i]);
    place[seen[i]] = i;
  }
  ASSERT_EQ(by_stream, wanted);
  for (const Edge& edge : edges_) {
    ASSERT_LT(place.at(edge.before), place.at(edge.after)) << "an event was not waited for";
  }
}

class RandomModels : public RandomModel, public testing::WithParamInterface<uint32_t> {};

TEST_P(RandomModels, RunAsTheyRead) {
  ASSERT_NO_FATAL_FAILURE(build(GetParam()));
  for (int run = 0; run < 10; ++run) {
    ASSERT_NO_FATAL_FAILURE(check_run()) << "seed " << GetParam() << ", run " << run;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomModels, testing::Range(0u, 100u));

}  // namespace
}  // namespace canopy::test
