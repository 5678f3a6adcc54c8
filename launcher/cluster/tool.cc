#include "launcher/cluster/tool.h"

#include "launcher/cluster/namespaces.h"
#include "runtime/base/env.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace canopy::cluster {
namespace {

std::string find_tool(const std::string& name) {
  const std::string path = env::text("PATH").value_or("") + ":/usr/sbin:/usr/bin:/sbin:/bin";
  for (size_t begin = 0; begin < path.size();) {
    const size_t end = std::min(path.find(':', begin), path.size());
    const std::string candidate = path.substr(begin, end - begin) + "/" + name;
    if (end > begin && access(candidate.c_str(), X_OK) == 0) {
      return candidate;
    }
    begin = end + 1;
  }
  return "";
}

std::string_view package_of(std::string_view tool) {
  return tool == "nft" ? "nftables" : "iproute2";
}

// A file in memory for each of the three streams: no pipe that could fill up while nobody reads.
Result<UniqueFd> memory_file(std::string_view content) {
  UniqueFd file(memfd_create("canopy-tool", MFD_CLOEXEC));
  if (!file ||
      write(file.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size())) {
    return fail_errno(Errc::no_memory, errno, "cannot make a file of {} bytes in memory",
                      content.size());
  }
  lseek(file.get(), 0, SEEK_SET);
  return file;
}

std::string content_of(const UniqueFd& file) {
  std::string text(static_cast<size_t>(lseek(file.get(), 0, SEEK_END)), '\0');
  const ssize_t n = pread(file.get(), text.data(), text.size(), 0);
  text.resize(n > 0 ? static_cast<size_t>(n) : 0);
  return text;
}

[[noreturn]] void become_tool(const std::string& path, const std::vector<std::string>& words,
                              const UniqueFd* streams, pid_t network_of) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (int i = 0; i < 3; ++i) {
    dup2(streams[i].get(), i);
  }
  if (network_of != 0) {
    auto process = open_process(network_of);
    if (!process || !join(*process, CLONE_NEWNET)) {
      dprintf(STDERR_FILENO, "%s\n", error_text::newest().c_str());
      _exit(1);
    }
  }
  if (geteuid() != 0) {
    keep_rights_over_exec();
  }
  std::vector<char*> argv;
  for (const std::string& word : words) {
    argv.push_back(const_cast<char*>(word.c_str()));  // execv does not write to them
  }
  argv.push_back(nullptr);
  execv(path.c_str(), argv.data());
  dprintf(STDERR_FILENO, "%s\n", std::strerror(errno));
  _exit(127);
}

}  // namespace

Result<std::string> run_tool(const std::vector<std::string>& words, std::string_view input,
                             pid_t network_of) {
  const std::string path = find_tool(words[0]);
  if (path.empty()) {
    return fail(Errc::not_supported, "{} is not installed here (Debian package {})", words[0],
                package_of(words[0]));
  }
  UniqueFd streams[3];
  for (int i = 0; i < 3; ++i) {
    CANOPY_ASSIGN(streams[i], memory_file(i == 0 ? input : ""));
  }
  std::fflush(nullptr);
  const pid_t pid = fork();
  if (pid < 0) {
    return fail_errno(Errc::limit, errno, "cannot start {}", path);
  }
  if (pid == 0) {
    become_tool(path, words, streams, network_of);
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    return content_of(streams[1]);
  }
  const std::string said = content_of(streams[2]);
  return fail(Errc::io, "'{}' failed: {}", fmt::join(words, " "),
              said.empty() ? "it said nothing" : said.substr(0, said.find('\n')));
}

}  // namespace canopy::cluster
