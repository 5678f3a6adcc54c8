#include "runtime/base/handle_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <thread>
#include <unordered_map>

namespace canopy {
namespace {

TEST(HandleTable, FindsWhatWasInserted) {
  HandleTable<int> table(3);
  void* handle = table.insert(std::make_unique<int>(42));
  ASSERT_NE(handle, nullptr);
  ASSERT_NE(table.find(handle), nullptr);
  EXPECT_EQ(*table.find(handle), 42);
}

TEST(HandleTable, AHandleIsStaleAfterRemoveEvenWhenItsSlotIsUsedAgain) {
  HandleTable<int> table(3);
  void* first = table.insert(std::make_unique<int>(1));
  EXPECT_EQ(*table.remove(first), 1);
  EXPECT_EQ(table.find(first), nullptr);
  void* second = table.insert(std::make_unique<int>(2));
  EXPECT_NE(first, second);
  EXPECT_EQ(table.find(first), nullptr);
  EXPECT_EQ(table.remove(first), nullptr);
  EXPECT_EQ(*table.find(second), 2);
}

TEST(HandleTable, AHandleOfAnotherKindIsNotFound) {
  HandleTable<int> streams(2);
  HandleTable<int> events(3);
  void* stream = streams.insert(std::make_unique<int>(1));
  void* event = events.insert(std::make_unique<int>(2));
  EXPECT_EQ(events.find(stream), nullptr);
  EXPECT_EQ(streams.find(event), nullptr);
}

TEST(HandleTable, InventedHandlesAreNotFound) {
  HandleTable<int> table(1);
  table.insert(std::make_unique<int>(1));
  std::mt19937_64 random(1);
  for (int i = 0; i < 100'000; ++i) {
    EXPECT_EQ(table.find(reinterpret_cast<void*>(random())), nullptr);
  }
  for (uint64_t value : {uint64_t{0}, uint64_t{1}, ~uint64_t{0}, uint64_t{1} << 56}) {
    EXPECT_EQ(table.find(reinterpret_cast<void*>(value)), nullptr) << value;
  }
  int on_stack = 0;
  EXPECT_EQ(table.find(&on_stack), nullptr);
}

TEST(HandleTable, AgreesWithAModelOverAMillionInsertsAndRemoves) {
  HandleTable<uint64_t> table(5);
  std::unordered_map<void*, uint64_t> model;
  std::vector<void*> live;
  std::vector<void*> dead;
  std::mt19937_64 random(7);
  for (uint64_t i = 0; i < 1'000'000; ++i) {
    if (live.size() < 500 || random() % 2 == 0) {
      void* handle = table.insert(std::make_unique<uint64_t>(i));
      ASSERT_TRUE(model.emplace(handle, i).second) << "a live handle was given out twice";
      live.push_back(handle);
    } else {
      std::swap(live[random() % live.size()], live.back());
      void* handle = live.back();
      live.pop_back();
      ASSERT_EQ(*table.remove(handle), model.at(handle));
      model.erase(handle);
      dead.push_back(handle);
    }
    if (!dead.empty()) {
      void* stale = dead[random() % dead.size()];
      ASSERT_EQ(table.find(stale), nullptr);
    }
  }
  ASSERT_EQ(table.size(), model.size());
  for (const auto& [handle, value] : model) {
    ASSERT_EQ(*table.find(handle), value);
  }
  auto listed = table.handles();
  std::sort(listed.begin(), listed.end());
  std::sort(live.begin(), live.end());
  EXPECT_EQ(listed, live);
}

TEST(HandleTable, RefusesWhenAllIndicesAreAlive) {
  HandleTable<char> table(1);
  for (uint32_t i = 0; i < 1u << 20; ++i) {
    ASSERT_NE(table.insert(std::make_unique<char>()), nullptr) << i;
  }
  EXPECT_EQ(table.insert(std::make_unique<char>()), nullptr);
}

TEST(HandleTable, FindsWhileOthersInsertAndRemove) {
  HandleTable<uint64_t> table(4);
  constexpr int kStable = 64;
  std::vector<void*> stable;
  for (uint64_t i = 0; i < kStable; ++i) {
    stable.push_back(table.insert(std::make_unique<uint64_t>(i)));
  }
  std::atomic<bool> done{false};
  std::vector<std::jthread> readers;
  std::atomic<uint64_t> wrong{0};
  for (int t = 0; t < 3; ++t) {
    readers.emplace_back([&] {
      while (!done.load(std::memory_order_relaxed)) {
        for (uint64_t i = 0; i < kStable; ++i) {
          const uint64_t* found = table.find(stable[i]);
          if (found == nullptr || *found != i) {
            wrong.fetch_add(1, std::memory_order_relaxed);
          }
        }
      }
    });
  }
  for (int round = 0; round < 200; ++round) {
    std::vector<void*> some;
    for (int i = 0; i < 100; ++i) {
      some.push_back(table.insert(std::make_unique<uint64_t>(1'000'000)));
    }
    for (void* handle : some) {
      table.remove(handle);
    }
  }
  done.store(true, std::memory_order_relaxed);
  readers.clear();
  EXPECT_EQ(wrong.load(), 0u);
}

}  // namespace
}  // namespace canopy
