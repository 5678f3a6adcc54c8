// Machine: the simulated NPUs of one host and who is near whom. A value: built once, then read
// only, so any thread may read it.
//
// Where it comes from (topology/model/spec_file.h, topology/discover): a SoC spec file, hwloc, or
// the default that fits the machine at hand.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace canopy::topology {

inline constexpr int kMaxNpus = 64;  // of one host; every source of a Machine refuses more

// How two NPUs of a host are joined; nearer classes have smaller numbers.
enum class LinkClass : uint8_t {
  self,         // the same NPU
  sio,          // two dies of one package
  hccs,         // direct HCCS link
  hccs_switch,  // HCCS through a switch
  pix,          // one PCIe switch between them
  phb,          // the same PCIe host bridge
  sys,          // through the interconnect between sockets
  none          // no path
};
inline constexpr int kLinkClasses = 8;
std::string_view to_string(LinkClass link);                        // as written in spec files
std::optional<LinkClass> parse_link_class(std::string_view text);  // its inverse

// What the link class allows (design section 5): direct load, store and copy; copies staged through
// host memory only; nothing.
enum class PeerPath : uint8_t { direct, staged, refused };
std::string_view to_string(PeerPath path);
std::optional<PeerPath> parse_peer_path(std::string_view text);
// The rule for a link whose spec does not say otherwise: up to one PCIe switch the far side can be
// addressed directly; across a host bridge or sockets only copies through host memory work.
PeerPath default_path(LinkClass link);

struct Link {
  LinkClass link_class = LinkClass::none;
  PeerPath path = PeerPath::refused;
  uint64_t bandwidth_MBps = 0;  // 0: not known
  uint32_t latency_ns = 0;      // 0: not known
  bool placeholder = true;      // the figures are not from a data sheet
};

struct Npu {
  int id = 0;
  std::string soc;  // aclrtGetSocName
  uint32_t cube_cores = 0;
  uint32_t vector_cores = 0;
  uint32_t aicpu_cores = 0;
  uint64_t hbm_bytes = 0;
  uint64_t l2_bytes = 0;
  uint32_t ub_bytes = 0;   // unified buffer of one vector core
  std::string pci_bus_id;  // "dddd:bb:dd.f"
  int numa_node = 0;
  std::string nic;          // nearest NIC, "" when none
  bool placeholder = true;  // the figures are not from a data sheet
  std::optional<int> logical;  // its id in the whole machine, where this one is a part (topology/model/visible.h)

  int logical_id() const { return logical.value_or(id); }
};

class Machine {
 public:
  Machine() = default;
  // REQUIRES: npus[i].id == i; links has npus.size() squared entries, the same in both directions.
  Machine(std::string name, std::string source, std::vector<Npu> npus, std::vector<Link> links);

  const std::string& name() const { return name_; }      // of the spec, "auto" for the default
  const std::string& source() const { return source_; }  // file path, "built in", "hwloc"
  int count() const { return static_cast<int>(npus_.size()); }
  // REQUIRES: 0 <= id < count()
  const Npu& npu(int id) const { return npus_[static_cast<size_t>(id)]; }
  // REQUIRES: both ids in [0, count())
  const Link& link(int from, int to) const {
    return links_[static_cast<size_t>(from) * npus_.size() + static_cast<size_t>(to)];
  }

 private:
  std::string name_;
  std::string source_;
  std::vector<Npu> npus_;
  std::vector<Link> links_;  // row-major, count() x count()
};

}  // namespace canopy::topology
