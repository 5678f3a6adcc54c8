// Every order in which an exporter and its importers open, close and die, against a model that says what each of them
// must see.
//
// After the export the exporter does one thing (ends it, leaves, is killed), each importer two (imports; then gives
// back, leaves, or is killed). With one and two importers all orders of all choices are run, with seven a
// sample of CANOPY_TEST_ORDERS (default 40) from a seed.
#include "tests/multi/sharing/site.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <random>
#include <vector>

namespace canopy {
namespace {

using namespace test;

constexpr uint64_t kStamp = 0x57414D50;

enum class End { close, leave, die };
constexpr const char* kEndNames[] = {"close", "leave", "die"};

// Does what it is told, one word at a time.
void act(Line& line) {
  Site site;
  std::optional<uint64_t> shared;
  std::weak_ptr<void> owner;
  std::atomic<int> importers_lost{0};
  std::atomic<int> exporter_lost{0};
  Import import;
  for (std::string order = line.hear(); !order.empty() && order != "leave"; order = line.hear()) {
    std::string answer = "done";
    if (order == "share") {
      auto object = stamped_memory(*site.table, kStamp);
      owner = object->owner;
      auto id = site.sharing->share(std::move(*object), [&](const auto&) { ++importers_lost; });
      shared = id ? std::optional(*id) : std::nullopt;
      answer = std::to_string(shared.value_or(0));
    } else if (order.starts_with("import ")) {
      auto got = site.sharing->import(ObjectKind::memory, {std::stoull(order.substr(7)), {}}, [&] { ++exporter_lost; });
      if (got) {
        import = std::move(*got);
      }
      answer = got ? "ok" : std::to_string(static_cast<int>(got.error().code));
    } else if (order == "read") {
      answer = std::to_string(stamp_of(import).value_or(0));
    } else if (order == "close" && shared) {
      site.sharing->end(*shared);
    } else if (order == "close") {
      import.reset();
    } else if (order == "told") {
      answer = std::to_string(exporter_lost.load());
    } else if (order == "lost") {
      answer = std::to_string(importers_lost.load());
    } else if (order == "kept") {
      answer = owner.expired() ? "no" : "yes";
    }
    line.say(answer);
  }
}

struct Actor {
  ChildProcess process{act};
  bool alive = true;

  std::string ask(const std::string& what) {
    process.line().say(what);
    return process.line().hear();
  }
  bool comes(const std::string& question, const std::string& answer) {
    return soon([&] { return ask(question) == answer; }, std::chrono::seconds(2));
  }
  void end(End how) {
    if (how == End::close) {
      EXPECT_EQ(ask("close"), "done");
    } else if (how == End::leave) {
      process.line().say("leave");
      process.wait();
    } else {
      process.kill();
    }
    alive = how == End::close;
  }
};

// One order: who acts next (0: the exporter, i: importer i), and how each ends.
struct Play {
  std::vector<size_t> turns;
  std::vector<End> ends;

  std::string text() const {
    std::string result;
    for (const size_t who : turns) {
      result += fmt::format("{} ", who);
    }
    for (const End end : ends) {
      result += kEndNames[static_cast<size_t>(end)];
      result += ' ';
    }
    return result;
  }
};

class Stage {
 public:
  Stage(HostTable& table, const Play& play) : table_(table), play_(play) {
    for (size_t i = 0; i < play.ends.size(); ++i) {
      actors_.push_back(std::make_unique<Actor>());
      EXPECT_EQ(actors_.back()->ask("told"), "0");  // it has its place in the table, and nobody else will have it
      states_.push_back(State::before);
    }
    id_ = actors_[0]->ask("share");
    states_[0] = State::holds;
  }

  void run() {
    EXPECT_NE(id_, "0");
    for (const size_t who : play_.turns) {
      if (who != 0 && states_[who] == State::before) {
        import(who);
      } else {
        end(who);
      }
      if (testing::Test::HasFailure()) {
        return;
      }
      check();
    }
  }

 private:
  enum class State { before, refused, holds, over };

  void import(size_t who) {
    const std::string answer = actors_[who]->ask("import " + id_);
    const Errc refused = actors_[0]->alive ? Errc::stale_handle : Errc::peer_lost;
    const bool open = states_[0] == State::holds;
    EXPECT_EQ(answer, open ? "ok" : std::to_string(static_cast<int>(refused)));
    states_[who] = open ? State::holds : State::refused;
  }

  void end(size_t who) {
    const bool held = states_[who] == State::holds;
    actors_[who]->end(play_.ends[who]);
    states_[who] = State::over;
    if (who == 0 && !actors_[0]->alive) {
      for (size_t i = 1; i < actors_.size(); ++i) {
        told_[i] += states_[i] == State::holds ? 1 : 0;
      }
    } else if (who != 0 && held && play_.ends[who] == End::die && states_[0] == State::holds) {
      ++lost_;
    }
  }

  // What everybody who is there must see by now.
  void check() {
    size_t holders = 0;
    for (size_t i = 1; i < actors_.size(); ++i) {
      if (!actors_[i]->alive) {
        continue;
      }
      EXPECT_TRUE(actors_[i]->comes("told", std::to_string(told_[i]))) << "importer " << i << " must hear of the exporter";
      if (states_[i] == State::holds) {
        ++holders;
        EXPECT_EQ(actors_[i]->ask("read"), std::to_string(kStamp)) << "what was imported stays valid";
      }
    }
    const bool kept = states_[0] == State::holds || holders > 0;
    if (actors_[0]->alive) {
      EXPECT_TRUE(actors_[0]->comes("lost", std::to_string(lost_))) << "the exporter must hear of importers";
      EXPECT_TRUE(actors_[0]->comes("kept", kept ? "yes" : "no")) << "memory lives as long as somebody uses it";
      EXPECT_EQ(table_.used_bytes(0), kept ? kGranule : 0);
    } else {
      EXPECT_EQ(table_.used_bytes(0), 0u) << "the dead hold no capacity";
    }
  }

  HostTable& table_;
  const Play& play_;
  std::vector<std::unique_ptr<Actor>> actors_;
  std::vector<State> states_;
  std::map<size_t, int> told_;
  int lost_ = 0;
  std::string id_;
};

class SharingOrders : public testing::Test {
 protected:
  void perform(const Play& play) {
    SCOPED_TRACE(play.text());
    Stage(*table_, play).run();
    ++performed_;
  }
  void all_orders(size_t importers) {
    std::vector<size_t> turns{0};
    for (size_t i = 1; i <= importers; ++i) {
      turns.insert(turns.end(), 2, i);
    }
    std::vector<Play> plays;
    do {
      for (int choice = 0; choice < static_cast<int>(std::pow(3, importers + 1)); ++choice) {
        Play play{turns, {}};
        for (int rest = choice; play.ends.size() <= importers; rest /= 3) {
          play.ends.push_back(static_cast<End>(rest % 3));
        }
        plays.push_back(std::move(play));
      }
    } while (std::next_permutation(turns.begin(), turns.end()));
    for (const Play& play : plays) {
      ASSERT_NO_FATAL_FAILURE(perform(play));
      if (HasFailure()) {
        return;
      }
    }
    std::printf("[ orders   ] %d\n", performed_);
  }

  PrivateTable path_;
  std::unique_ptr<HostTable> table_ = std::move(*HostTable::open());
  int performed_ = 0;
};

TEST_F(SharingOrders, OfTwoProcesses) { all_orders(1); }

TEST_F(SharingOrders, OfThreeProcesses) { all_orders(2); }

TEST_F(SharingOrders, OfEightProcessesFromASeed) {
  const char* wanted = std::getenv("CANOPY_TEST_ORDERS");
  const int orders = wanted != nullptr ? std::atoi(wanted) : 40;
  const char* given = std::getenv("CANOPY_TEST_SEED");
  const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::printf("[ seed     ] CANOPY_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::fflush(stdout);  // before children take a copy of it
  std::mt19937_64 random(seed);
  for (int i = 0; i < orders && !HasFailure(); ++i) {
    Play play{{0}, {}};
    for (size_t who = 1; who <= 7; ++who) {
      play.turns.insert(play.turns.end(), 2, who);
    }
    std::shuffle(play.turns.begin(), play.turns.end(), random);
    for (int who = 0; who < 8; ++who) {
      play.ends.push_back(static_cast<End>(random() % 3));
    }
    perform(play);
  }
}

}  // namespace
}  // namespace canopy
