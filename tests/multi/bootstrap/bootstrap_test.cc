// One process of the multi-process tests of the bootstrap. `bootstrap_test CASE [PE]`: the exit
// status is 0 when the case holds for this process; PE is the one that misbehaves in the fault
// cases.
#include "launcher/bootstrap/bootstrap.h"
#include "runtime/base/env.h"
#include "runtime/base/log.h"
#include "runtime/base/waiter.h"

#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>

#ifdef CANOPY_TEST_WITH_MPI
// The C interface alone: the C++ one of Open MPI would need one more library.
#define OMPI_SKIP_MPICXX 1
#include <mpi.h>
#endif

namespace canopy {
namespace {

#define REQUIRE(condition)                                                      \
  do {                                                                          \
    if (!(condition)) {                                                         \
      report(fmt::format("line {}: {} does not hold; {}", __LINE__, #condition, \
                         error_text::newest()));                                \
      std::exit(1);                                                             \
    }                                                                           \
  } while (0)

// The rank that the launcher gave, known before anybody has joined.
int launched_rank() { return static_cast<int>(env::integer("PMIX_RANK").value_or(0)); }

// Cards of all lengths up to 64 KiB, an empty one and NULs among them.
std::string card_of(int pe, int round) {
  const size_t lengths[] = {0, 1, 200, 65536};
  std::string card(lengths[(pe + round) % 4], '\0');
  for (size_t i = 0; i < card.size(); ++i) {
    card[i] = static_cast<char>((i * 31 + pe * 7 + round) % 251);
  }
  return card;
}

std::unique_ptr<Bootstrap> join() {
  auto job = Bootstrap::create();
  REQUIRE(job);
  return std::move(*job);
}

void exchange_once(Bootstrap& job, int round) {
  auto cards = job.exchange(card_of(job.pe(), round));
  REQUIRE(cards);
  REQUIRE(static_cast<int>(cards->size()) == job.n_pes());
  for (int pe = 0; pe < job.n_pes(); ++pe) {
    REQUIRE((*cards)[pe] == card_of(pe, round));
  }
}

void leave(Bootstrap& job) {
  REQUIRE(job.finalize());
  REQUIRE(job.finalize());  // idempotent
  REQUIRE(job.barrier().error().code == Errc::closed);
}

void test_exchange() {
  auto job = join();
  REQUIRE(job->kind() == "pmix");
  REQUIRE(job->pe() == launched_rank());
  REQUIRE(job->n_pes() == static_cast<int>(env::integer("OMPI_COMM_WORLD_SIZE").value_or(-1)));
  exchange_once(*job, 0);
  leave(*job);
}

void test_generations() {
  auto job = join();
  for (int round = 0; round < 5; ++round) {
    exchange_once(*job, round);  // a stale card would be of another length
  }
  leave(*job);
}

void test_barrier() {
  auto job = join();
  for (int round = 0; round < 200; ++round) {
    REQUIRE(job->barrier());
  }
  leave(*job);
}

void test_init_finalize_init() {
  for (int life = 0; life < 3; ++life) {
    auto job = join();
    exchange_once(*job, life);
    REQUIRE(job->barrier());
    leave(*job);
  }
}

// From the second on they meet in shared memory.
void test_many_lives() {
  for (int life = 0; life < 1000; ++life) {
    auto job = join();
    exchange_once(*job, life);
    REQUIRE(job->barrier());
    leave(*job);
  }
}

// Two holders at once, as two Worlds of a process would be.
void test_two_at_once() {
  auto first = join();
  auto second = join();
  exchange_once(*first, 0);
  exchange_once(*second, 1);
  leave(*first);
  exchange_once(*second, 2);
  leave(*second);
}

// A process that has left in order may end in any way.
void test_underscore_exit() {
  {
    auto job = join();
    leave(*job);
  }
  ::_exit(0);
}

#ifdef CANOPY_TEST_WITH_MPI
void require_mpi_works() {
  int one = 1;
  int sum = 0;
  int size = 0;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  MPI_Allreduce(&one, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
  REQUIRE(sum == size);
}

void test_mpi_first() {
  MPI_Init(nullptr, nullptr);
  auto job = join();
  exchange_once(*job, 0);
  require_mpi_works();
  leave(*job);
  require_mpi_works();
  MPI_Finalize();
}

void test_mpi_inside() {
  auto job = join();
  exchange_once(*job, 0);
  MPI_Init(nullptr, nullptr);
  require_mpi_works();
  MPI_Finalize();
  exchange_once(*job, 1);
  leave(*job);
}

void test_mpi_after() {
  auto job = join();
  exchange_once(*job, 0);
  leave(*job);
  MPI_Init(nullptr, nullptr);
  require_mpi_works();
  MPI_Finalize();
  auto again = join();
  exchange_once(*again, 1);
  leave(*again);
}

void test_mpi_overlapping() {
  auto job = join();
  MPI_Init(nullptr, nullptr);
  exchange_once(*job, 0);
  leave(*job);
  require_mpi_works();
  MPI_Finalize();
}
#endif

// ---- Faults. The launcher's exit status and what is printed are checked by faults.sh.

// Every PE but one waits for it; reaching the end means that nobody was ended.
void wait_for_ever() {
  auto job = join();
  auto done = job->barrier();
  report(done ? "a barrier without one of the PEs was complete"
              : fmt::format("barrier failed: {}", error_text::newest()));
  std::exit(9);
}

void fault_abort(int status, int pe) {
  auto job = join();
  REQUIRE(job->barrier());
  if (job->pe() == pe) {
    job->abort(status, "for the test");
    std::exit(status);
  }
  (void)job->barrier();
  std::exit(9);
}

// The process whose end mpirun sees as the end of this PE: ours, or the wrapper script's.
pid_t ended_process() { return env::flag("CANOPY_TEST_WRAPPED", false) ? ::getppid() : ::getpid(); }

// Ends a PE before the others join, and certainly: mpirun notices by itself when a PE ends after
// others have joined. CANOPY_TEST_GATE names the file that tells the others whom to wait for.
void fault_exit_before_join(int status, int pe) {
  const std::string gate = env::text("CANOPY_TEST_GATE").value_or("");
  if (launched_rank() == pe) {
    std::FILE* file = std::fopen((gate + ".new").c_str(), "w");
    REQUIRE(file != nullptr);
    std::fprintf(file, "%d", static_cast<int>(ended_process()));
    std::fclose(file);
    REQUIRE(std::rename((gate + ".new").c_str(), gate.c_str()) == 0);
    std::exit(status);
  }
  const auto has_ended = [&] {
    std::FILE* file = std::fopen(gate.c_str(), "r");
    int pid = 0;
    const bool known = file != nullptr && std::fscanf(file, "%d", &pid) == 1;
    if (file != nullptr) {
      std::fclose(file);
    }
    return known && ::kill(pid, 0) != 0;
  };
  const auto end =
      wait_until(has_ended, nullptr, BellScope::process, Deadline::after(std::chrono::seconds(20)),
                 [] { return std::string("test waits for the PE to end"); });
  REQUIRE(end == WaitEnd::ready);
  wait_for_ever();
}

void fault_exit_after_a_life(int pe) {
  test_exchange();
  fault_exit_before_join(0, pe);
}

void fault_exit_after_three_lives(int pe) {
  test_init_finalize_init();
  fault_exit_before_join(0, pe);
}

void fault_killed_in_wait(int pe) {
  if (launched_rank() == pe) {
    // Dies while the others wait: it joins, tells them so, and is gone before the second barrier.
    auto job = join();
    REQUIRE(job->barrier());
    ::raise(SIGKILL);
  }
  auto job = join();
  REQUIRE(job->barrier());
  (void)job->barrier();
  std::exit(9);
}

void fault_killed_in_third_life(int pe) {
  test_exchange();
  test_exchange();
  fault_killed_in_wait(pe);
}

// One PE kills mpirun, and then all compute without end.
void fault_launcher_killed(int pe) {
  auto job = join();
  REQUIRE(job->barrier());
  if (launched_rank() == pe) {
    ::kill(::getppid(), SIGKILL);
  }
  for (;;) {
    compiler_barrier();
  }
}

// The late PE is held by the test script until the others have reported their deadline.
void fault_late(int pe) {
  if (launched_rank() == pe) {
    ::pause();
  }
  auto job = join();
  auto done = job->barrier();
  REQUIRE(!done && done.error().code == Errc::timeout);
  report(error_text::newest());
  REQUIRE(job->exchange("x").error().code == Errc::closed);
  job->abort(3, "");
  std::exit(3);
}

void fault_late_in_third_life(int pe) {
  test_exchange();
  test_exchange();
  fault_late(pe);
}

int run(const std::string& name, int pe) {
  const std::map<std::string, std::function<void()>> cases = {
      {"exchange", test_exchange},
      {"generations", test_generations},
      {"barrier", test_barrier},
      {"init_finalize_init", test_init_finalize_init},
      {"many_lives", test_many_lives},
      {"two_at_once", test_two_at_once},
      {"underscore_exit", test_underscore_exit},
#ifdef CANOPY_TEST_WITH_MPI
      {"mpi_first", test_mpi_first},
      {"mpi_inside", test_mpi_inside},
      {"mpi_after", test_mpi_after},
      {"mpi_overlapping", test_mpi_overlapping},
#endif
      {"abort", [pe] { fault_abort(42, pe); }},
      {"abort_zero", [pe] { fault_abort(0, pe); }},
      {"exit_zero", [pe] { fault_exit_before_join(0, pe); }},
      {"exit_seven", [pe] { fault_exit_before_join(7, pe); }},
      {"exit_after_a_life", [pe] { fault_exit_after_a_life(pe); }},
      {"exit_after_three_lives", [pe] { fault_exit_after_three_lives(pe); }},
      {"killed_in_third_life", [pe] { fault_killed_in_third_life(pe); }},
      {"late_in_third_life", [pe] { fault_late_in_third_life(pe); }},
      {"killed", [pe] { fault_killed_in_wait(pe); }},
      {"launcher_killed", [pe] { fault_launcher_killed(pe); }},
      {"late", [pe] { fault_late(pe); }},
  };
  const auto found = cases.find(name);
  if (found == cases.end()) {
    std::fprintf(stderr, "bootstrap_test: no case %s\n", name.c_str());
    return 2;
  }
  found->second();
  if (launched_rank() == 0) {
    std::printf("%s: OK\n", name.c_str());
  }
  return 0;
}

}  // namespace
}  // namespace canopy

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: bootstrap_test CASE [PE]\n");
    return 2;
  }
  return canopy::run(argv[1], argc > 2 ? std::atoi(argv[2]) : -1);
}
