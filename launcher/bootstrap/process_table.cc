#include "launcher/bootstrap/process_table.h"

#include "runtime/base/unique_fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

#include <fmt/format.h>

#include <charconv>
#include <memory>
#include <string_view>

namespace canopy {
namespace {

// The whole file; nothing when it cannot be opened or read. (/proc files have no size to ask for.)
std::optional<std::string> read_whole(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    return std::nullopt;
  }
  std::string text;
  char chunk[4096];
  for (;;) {
    const ssize_t n = ::read(fd.get(), chunk, sizeof chunk);
    if (n == 0) {
      return text;
    }
    if (n < 0) {
      if (errno == EINTR) {
        continue;
      }
      return std::nullopt;
    }
    text.append(chunk, static_cast<size_t>(n));
  }
}

template <class Number>
bool parse_number(std::string_view text, Number* out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return error == std::errc() && end == text.data() + text.size();
}

// Field `index` of the space-separated `text`; empty when there are fewer.
std::string_view field(std::string_view text, int index) {
  for (; index > 0; --index) {
    const size_t space = text.find(' ');
    if (space == text.npos) {
      return {};
    }
    text.remove_prefix(space + 1);
  }
  return text.substr(0, text.find_first_of(" \n"));
}

// proc(5): "pid (comm) state ppid ... num_threads itrealvalue starttime ..."; comm may hold
// anything, parentheses and spaces included, so the last ')' ends it.
std::optional<ProcessStat> parse_stat(int pid, std::string_view text) {
  const size_t open = text.find('(');
  const size_t close = text.rfind(')');
  if (open == text.npos || close == text.npos || close + 2 >= text.size()) {
    return std::nullopt;
  }
  ProcessStat stat;
  stat.pid = pid;
  stat.command = text.substr(open + 1, close - open - 1);
  const std::string_view rest = text.substr(close + 2);
  const char state = rest.front();
  int threads = 0;
  if (!parse_number(field(rest, 1), &stat.parent) || !parse_number(field(rest, 17), &threads) ||
      !parse_number(field(rest, 19), &stat.start_ticks)) {
    return std::nullopt;
  }
  // A main thread that has called pthread_exit is a zombie too, but its other threads run on.
  stat.ended = (state == 'Z' && threads <= 1) || state == 'X';
  return stat;
}

}  // namespace

std::optional<ProcessStat> ProcessTable::stat(int pid) const {
  auto text = read_whole(fmt::format("{}/{}/stat", root_, pid));
  return text ? parse_stat(pid, *text) : std::nullopt;
}

std::vector<ProcessStat> ProcessTable::all() const {
  std::vector<ProcessStat> list;
  std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(root_.c_str()), &::closedir);
  while (dir != nullptr) {
    const dirent* entry = ::readdir(dir.get());
    if (entry == nullptr) {
      break;
    }
    int pid = 0;
    if (!parse_number(entry->d_name, &pid)) {
      continue;
    }
    if (auto one = stat(pid)) {
      list.push_back(std::move(*one));
    }
  }
  return list;
}

ProcessTable::Launch ProcessTable::launched_as(int pid, LaunchedAs* out) const {
  auto text = read_whole(fmt::format("{}/{}/environ", root_, pid));
  if (!text || text->empty()) {
    return Launch::unknown;
  }
  constexpr std::string_view kNamespace = "PMIX_NAMESPACE=";
  constexpr std::string_view kRank = "PMIX_RANK=";
  LaunchedAs found;
  std::string_view rest = *text;
  while (!rest.empty()) {
    const std::string_view entry = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(std::min(entry.size() + 1, rest.size()));
    if (entry.starts_with(kNamespace)) {
      found.nspace = entry.substr(kNamespace.size());
    } else if (entry.starts_with(kRank)) {
      parse_number(entry.substr(kRank.size()), &found.pe);
    }
  }
  if (found.nspace.empty() || found.pe < 0) {
    return Launch::no;
  }
  *out = std::move(found);
  return Launch::yes;
}

}  // namespace canopy
