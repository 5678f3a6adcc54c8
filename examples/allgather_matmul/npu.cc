#include "examples/allgather_matmul/npu.h"

#include "examples/allgather_matmul/device.h"

#include <unistd.h>

#include <cstdlib>

namespace agmm {
namespace {

// The rank's number on its host, as OpenMPI, Slurm and MPICH tell it; 0 without a launcher.
int local_rank() {
  for (const char* name : {"OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID", "MPI_LOCALRANKID"}) {
    if (const char* text = std::getenv(name)) {
      return std::atoi(text);
    }
  }
  return 0;
}

std::string host_name() {
  std::string name(256, '\0');
  if (gethostname(name.data(), name.size() - 1) != 0) {
    return "unknown";
  }
  return name.c_str();
}

}  // namespace

Fallible<Npu> open_npu(int wanted) {
  Npu npu;
  npu.host = host_name();
  uint32_t count = 0;
  size_t total = 0;
  if (auto done = acl_done(aclrtGetDeviceCount(&count), "aclrtGetDeviceCount"); !done) {
    return tl::unexpected(done.error());
  }
  if (count == 0) {
    return failure("host {} has no NPU", npu.host);
  }
  if (wanted >= 0 && static_cast<uint32_t>(wanted) >= count) {
    return failure("--device {}: host {} has {} NPU(s), numbered from 0", wanted, npu.host, count);
  }
  npu.device = wanted >= 0 ? wanted : local_rank() % static_cast<int32_t>(count);
  if (auto done = acl_done(aclrtSetDevice(npu.device), fmt::format("opening NPU {}", npu.device));
      !done) {
    return tl::unexpected(done.error());
  }
  const char* soc = aclrtGetSocName();
  npu.soc = soc != nullptr ? soc : "NPU";
  if (auto done = acl_done(aclrtGetMemInfo(ACL_HBM_MEM, &npu.hbm_free, &total), "aclrtGetMemInfo");
      !done) {
    return tl::unexpected(done.error());
  }
  return npu;
}

void close_npu(const Npu& npu) { aclrtResetDevice(npu.device); }

Neighbours count_neighbours(Job& job, const Npu& npu) {
  const std::string on_host = npu.host + '\n';
  const std::string on_npu = on_host + std::to_string(npu.device);
  Neighbours neighbours;
  for (const std::string& rank : job.all_gather(on_npu)) {
    neighbours.on_host += rank.rfind(on_host, 0) == 0 ? 1 : 0;
    neighbours.on_npu += rank == on_npu ? 1 : 0;
  }
  return neighbours;
}

}  // namespace agmm
