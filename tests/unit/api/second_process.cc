#include "tests/unit/api/second_process.h"

#include <fcntl.h>
#include <signal.h>

#include <cstdlib>
#include <map>

extern char** environ;

namespace canopy::test {
namespace {

constexpr const char* kRole = "CANOPY_TEST_ROLE";
constexpr const char* kLine = "CANOPY_TEST_LINE";

std::map<std::string, void (*)(Line&)>& roles() {
  static std::map<std::string, void (*)(Line&)> all;
  return all;
}

// Plays the role in place of the tests, when everything that main() finds is there.
class Stage : public testing::Environment {
 public:
  void SetUp() override {
    const char* const role = ::getenv(kRole);
    if (role == nullptr) {
      return;
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::alarm(120);
    {
      Line line(std::atoi(::getenv(kLine)));
      roles().at(role)(line);
    }
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  }
};

[[maybe_unused]] const testing::Environment* const stage = testing::AddGlobalTestEnvironment(new Stage);

}  // namespace

Role::Role(const char* name, void (*play)(Line& line)) { roles().emplace(name, play); }

SecondProcess::SecondProcess(const std::string& role, const std::vector<std::pair<std::string, std::string>>& environment) {
  int ends[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
  // All of it made before the fork: behind it only what is safe in a child of a process with threads.
  std::vector<std::string> own = {std::string(kRole) + "=" + role, std::string(kLine) + "=" + std::to_string(ends[1])};
  for (const auto& [name, value] : environment) {
    own.push_back(name + "=" + value);
  }
  std::vector<char*> variables;
  for (std::string& each : own) {
    variables.push_back(each.data());
  }
  for (char** each = environ; *each != nullptr; ++each) {
    variables.push_back(*each);  // the first of two with one name holds
  }
  variables.push_back(nullptr);
  char program[] = "/proc/self/exe";
  char* arguments[] = {program, nullptr};
  const int quiet = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::fcntl(ends[1], F_SETFD, 0);
    ::dup2(quiet, STDOUT_FILENO);  // one program's report is enough
    ::execve(program, arguments, variables.data());
    ::_exit(127);
  }
  ::close(quiet);
  ::close(ends[1]);
  line_ = std::make_unique<Line>(ends[0]);
}

SecondProcess::~SecondProcess() {
  if (pid_ > 0) {
    kill();
  }
}

void SecondProcess::kill() {
  ::kill(pid_, SIGKILL);
  wait();
}

int SecondProcess::wait() {
  int status = -1;
  ::waitpid(std::exchange(pid_, -1), &status, 0);
  return status;
}

}  // namespace canopy::test
