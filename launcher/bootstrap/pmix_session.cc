#include "launcher/bootstrap/pmix_session.h"

#include "runtime/base/env.h"
#include "runtime/base/signals_blocked.h"

#include <dlfcn.h>
#include <pmix.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <mutex>
#include <optional>

namespace canopy {
namespace {

// The process's connection. Global because libpmix itself is; reached only from this file.
struct Connection {
  std::mutex mutex;  // guards everything below
  int holders = 0;
  bool connected = false;
  bool known = false;  // `job` is filled
  bool stays = false;  // open until exit
  pid_t owner = 0;     // the process that connected
  PmixJob job;
  uint64_t generation = 0;
  std::optional<HostMeeting> meeting;
};

// Leaked on purpose: the exit handler below may run after static destructors.
Connection& connection() {
  static Connection* instance = new Connection;
  return *instance;
}

bool mpi_is_in_this_program() { return ::dlsym(RTLD_DEFAULT, "MPI_Init") != nullptr; }

void close_at_exit() {
  Connection& c = connection();
  std::lock_guard lock(c.mutex);
  if (c.connected && c.owner == ::getpid()) {
    c.connected = false;
    PMIx_Finalize(nullptr, 0);
  }
}

// libpmix starts a thread, which must not receive the signals that the program handles.
pmix_status_t init_with_signals_blocked(pmix_proc_t* me) {
  const SignalsBlocked blocked;
  const pmix_status_t status = PMIx_Init(me, nullptr, 0);
  return status;
}

// A value of the whole job; nullptr when the launcher does not offer it.
pmix_value_t* job_value(const char* nspace, const char* key) {
  pmix_proc_t whole;
  PMIX_LOAD_PROCID(&whole, nspace, PMIX_RANK_WILDCARD);
  pmix_value_t* value = nullptr;
  return PMIx_Get(&whole, key, nullptr, 0, &value) == PMIX_SUCCESS ? value : nullptr;
}

// "2,3" -> {2, 3}; empty when the text is anything else.
std::vector<int> parse_ranks(std::string_view text) {
  std::vector<int> ranks;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    int rank = 0;
    auto [next, error] = std::from_chars(at, end, rank);
    if (error != std::errc() || (next != end && *next != ',')) {
      return {};
    }
    ranks.push_back(rank);
    at = next == end ? end : next + 1;
  }
  std::sort(ranks.begin(), ranks.end());
  return ranks;
}

Result<PmixJob> read_job(const pmix_proc_t& me) {
  PmixJob job;
  job.nspace = me.nspace;
  job.pe = static_cast<int>(me.rank);
  pmix_value_t* size = job_value(me.nspace, PMIX_JOB_SIZE);
  if (size == nullptr || size->type != PMIX_UINT32) {
    return fail(Errc::io, "pe {}: the launcher's PMIx server does not say how many PEs job {} has",
                job.pe, job.nspace);
  }
  job.n_pes = static_cast<int>(size->data.uint32);
  PMIX_VALUE_RELEASE(size);
  if (pmix_value_t* peers = job_value(me.nspace, PMIX_LOCAL_PEERS)) {
    if (peers->type == PMIX_STRING && peers->data.string != nullptr) {
      job.local_pes = parse_ranks(peers->data.string);
    }
    PMIX_VALUE_RELEASE(peers);
  }
  return job;
}

// REQUIRES: c.mutex held.
Result<> connect(Connection& c) {
  pmix_proc_t me;
  const pmix_status_t status = init_with_signals_blocked(&me);
  if (status != PMIX_SUCCESS) {
    return fail(Errc::io,
                "the environment says that a launcher started this process (PMIX_NAMESPACE={}, "
                "PMIX_RANK={}), but its PMIx server does not answer: {}. Start the program with "
                "mpirun, or set CANOPY_BOOTSTRAP=single for a job of one",
                env::text("PMIX_NAMESPACE").value_or("unset"),
                env::text("PMIX_RANK").value_or("unset"), PMIx_Error_string(status));
  }
  c.stays = c.known;
  if (!c.known) {
    auto job = read_job(me);
    if (!job) {
      PMIx_Finalize(nullptr, 0);
      return tl::unexpected(job.error());
    }
    c.job = std::move(*job);
    c.known = true;
    std::atexit(close_at_exit);
  }
  c.connected = true;
  c.owner = ::getpid();
  return {};
}

}  // namespace

Result<std::unique_ptr<PmixSession>> PmixSession::open() {
  Connection& c = connection();
  std::lock_guard lock(c.mutex);
  if (c.known && c.owner != ::getpid()) {
    return fail(Errc::forked,
                "pe {}: process {} is a fork of process {}, which is the PE of this job; a child "
                "cannot join it",
                c.job.pe, ::getpid(), c.owner);
  }
  if (!c.connected) {
    CANOPY_TRY(connect(c));
  }
  ++c.holders;
  return std::unique_ptr<PmixSession>(new PmixSession(c.job, c.generation > 0));
}

PmixSession::~PmixSession() {
  Connection& c = connection();
  std::lock_guard lock(c.mutex);
  if (c.owner != ::getpid()) {
    return;
  }
  if (--c.holders == 0 && c.connected && !c.stays && !mpi_is_in_this_program()) {
    c.connected = false;
    PMIx_Finalize(nullptr, 0);
  }
}

std::string PmixSession::name() const { return fmt::format("pe {} of {}", job_.pe, job_.n_pes); }

uint64_t PmixSession::next_generation() {
  Connection& c = connection();
  std::lock_guard lock(c.mutex);
  return c.generation++;
}

// Only the thread that joins and leaves the job calls these, and what is there stays.
HostMeeting* PmixSession::meeting() const {
  Connection& c = connection();
  std::lock_guard lock(c.mutex);
  return c.meeting ? &*c.meeting : nullptr;
}

void PmixSession::set_meeting(HostMeeting meeting) {
  Connection& c = connection();
  std::lock_guard lock(c.mutex);
  c.meeting.emplace(std::move(meeting));
}

}  // namespace canopy
