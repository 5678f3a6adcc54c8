// PmixGets: asks the PMIx servers for one key of several PEs, without blocking.
//
// This is what a PE waits with for others: a server keeps a question until the PE in question has
// committed the key. It does not keep it for ever: our own server answers "timeout" after a second,
// that of another host "not found" as soon as it holds other data of that PE. So a question without
// a value is to be asked again, and only the caller's deadline ends that. One on another host that
// has committed nothing at all is answered late or never.
//
// libpmix hangs a question to an open one about the same PE, whatever the keys: whoever wants a
// quick answer must have no other question about that PE open.
//
// Why not PMIx_Fence: see pmix_bootstrap.h. Owned by one thread; answers come on libpmix's thread,
// also after this object is gone.
#pragma once

#include "launcher/bootstrap/pmix_session.h"
#include "runtime/base/doorbell.h"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace canopy {

class PmixGets {
 public:
  enum class Patience : uint8_t {
    one_second,  // the servers of other hosts are asked too
    none         // our own server, what it has at hand
  };
  // Asks for `key` of each of `pes`.
  PmixGets(const PmixSession& session, std::string key, std::vector<int> pes, Patience patience);

  bool all_found() const;
  bool all_answered() const;
  // Asks again what was answered without a value.
  void ask_again();
  std::vector<int> not_found() const;

  // Rings (process scope) with every answer.
  Doorbell& bell();

 private:
  struct Answers;
  struct Question;
  void ask(size_t index);

  const PmixSession& session_;
  std::string key_;
  std::vector<int> pes_;
  Patience patience_;
  std::shared_ptr<Answers> answers_;
};

// Those of `pes` that have not committed `key`, as far as can be learned within `limit`. A host
// that does not answer counts as not committed. With Patience::none everything that our own server
// sent before has been received on return: the answer travels behind it.
std::vector<int> pes_without(const PmixSession& session, const std::string& key,
                             std::vector<int> pes, PmixGets::Patience patience,
                             std::chrono::milliseconds limit);

// Gives this PE the key, without a value; it counts once the caller or somebody else commits.
Result<> put_flag(const PmixSession& session, const std::string& key);
Result<> commit(const PmixSession& session);

// "pe 2", "pe 2, pe 3", "pe 2, pe 3 and 10 more" (at most 16 by number).
std::string name_pes(const std::vector<int>& pes);

}  // namespace canopy
