// HostView: the host table as seen by one who owns nothing: tools. It holds no slot, takes no mutex, and
// writes nothing by itself; while it exists nobody resets the table.
//
// What it shows of an owner was so at one moment; owners that are dead never show, even while their slots
// have not been cleaned. Single-threaded.
#pragma once

#include "runtime/base/mapping.h"
#include "runtime/base/result.h"
#include "runtime/base/unique_fd.h"
#include "runtime/driver/host_table.h"

#include <optional>
#include <string>
#include <vector>

namespace canopy {

class HostView {
 public:
  // Nothing: there is no table, so nothing has used a device since the host started. Errors as
  // HostTable::open(), and busy: the table is damaged or of another version.
  static Result<std::optional<HostView>> open();

  // Those whose lock is held.
  std::vector<HostOwner> owners() const;
  DeviceBook devices() const;
  const std::string& path() const { return path_; }

 private:
  static Result<std::optional<HostView>> look();
  HostView(std::string path, UniqueFd fd, Mapping map)
      : path_(std::move(path)), fd_(std::move(fd)), map_(std::move(map)) {}

  std::string path_;
  UniqueFd fd_;  // its description carries the lock of presence
  Mapping map_;
};

}  // namespace canopy
