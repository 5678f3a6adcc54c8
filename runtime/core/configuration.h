// Configuration: the JSON file of aclInit. A value, parsed once.
//
//   key                             meaning
//   defaultDevice.default_device    "N": the device of threads that set none
//   err_msg_mode                    "0": error sentences belong to their thread (default); "1": to
//   the process
//
// Other keys are taken, as the interface asks; those that would switch on what is not built are
// named in the log.
#pragma once

#include "runtime/base/result.h"

#include <string>

namespace canopy {

struct Configuration {
  std::string text;         // as it was in the file
  int default_device = -1;  // -1: none
  bool errors_of_process = false;

  // Errc::io: cannot be read; Errc::parse: not a JSON object, nested too deep, a wrong value.
  static Result<Configuration> read(const char* path);
};

}  // namespace canopy
