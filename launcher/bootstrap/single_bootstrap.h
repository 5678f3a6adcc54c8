// SingleBootstrap: the job of one, for a program that was started without a launcher.
#pragma once

#include "launcher/bootstrap/bootstrap.h"

namespace canopy {

class SingleBootstrap final : public Bootstrap {
 public:
  int pe() const override { return 0; }
  int n_pes() const override { return 1; }
  std::string_view kind() const override { return "single"; }

  Result<std::vector<std::string>> exchange(std::string_view card) override;
  Result<> barrier() override;
  // Says the reason and returns at once: nobody else has to be ended.
  void abort(int status, std::string_view reason) override;
  Result<> finalize() override;

 private:
  Result<> require_open(std::string_view call) const;
  bool finalized_ = false;
};

}  // namespace canopy
