#include "runtime/api/recent_errors.h"

#include "runtime/api/advice.h"
#include "runtime/base/result.h"
#include "runtime/base/thread_instance.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <mutex>
#include <vector>

namespace canopy::acl {
namespace {

struct Recent {
  int code;  // 0: only a sentence
  std::string sentence;
};

class List {
 public:
  explicit List(size_t kept) : kept_(kept) {}
  void push(Recent recent) {
    list_.push_back(std::move(recent));
    if (list_.size() > kept_) {
      list_.pop_front();
    }
  }
  Recent take() {
    if (list_.empty()) {
      return {0, ""};
    }
    Recent newest = std::move(list_.back());
    list_.pop_back();
    return newest;
  }

 private:
  const size_t kept_;
  std::deque<Recent> list_;
};

struct OfThread : List {
  OfThread() : List(8) {}
};
List& of_thread() { return thread_instance<OfThread, OfThread>(); }

struct OfProcess {
  std::mutex mutex;  // guards list
  List list{64};
};
OfProcess& of_process() {
  static auto* list = new OfProcess;  // leaked: threads may fail while static destructors run
  return *list;
}

std::atomic<bool> g_shared{false};

template <class Work>
auto with_list(Work&& work) {
  // Relaxed: which of the two lists, nothing else.
  if (g_shared.load(std::memory_order_relaxed)) {
    std::lock_guard lock(of_process().mutex);
    return work(of_process().list);
  }
  return work(of_thread());
}

}  // namespace

void publish_errors(int code) {
  std::vector<Recent> recorded;  // newest first
  for (std::string text = error_text::take_newest(); !text.empty();
       text = error_text::take_newest()) {
    recorded.push_back({recorded.empty() ? code : 0, std::move(text)});
  }
  std::reverse(recorded.begin(), recorded.end());
  with_list([&](List& list) {
    for (Recent& recent : recorded) {
      list.push(std::move(recent));
    }
  });
}

std::string take_recent_error() {
  publish_errors(0);  // of libraries that only record sentences
  const Recent recent = with_list([](List& list) { return list.take(); });
  const Advice* advice = advice_for(recent.code, recent.sentence);
  if (recent.sentence.empty() || advice == nullptr) {
    return recent.sentence;
  }
  return fmt::format("{}\n  code {}, likely cause: {}\n  what to do: {}", recent.sentence,
                     recent.code, advice->cause, advice->remedy);
}

void share_errors_of_process(bool share) { g_shared.store(share, std::memory_order_relaxed); }

}  // namespace canopy::acl
