// A small hwloc XML export with NPUs, as text: two sockets of two cores; a PCI root port with a
// switch on the first (npu0, npu1 and their NIC), root ports of their own for npu2 (first socket)
// and npu4 (second).
#pragma once

#include <string>

#include <fmt/format.h>

namespace canopy::topology {

// An OS device on PCI. `kind`: 5 CoProc, 3 OpenFabrics, 2 network (hwloc's osdev types).
inline std::string xml_device(int gp, int bus, const std::string& name, int kind,
                              const std::string& infos = "") {
  return fmt::format(
      R"(<object type="PCIDev" gp_index="{}" pci_busid="0000:{:02x}:00.0"
         pci_type="1200 [19e5:d802] [19e5:d802] 20" pci_link_speed="0.000000">
         <object type="OSDev" gp_index="{}" name="{}" osdev_type="{}">{}</object></object>)",
      gp, bus, gp + 1, name, kind, infos);
}

inline std::string xml_info(const std::string& name, const std::string& value) {
  return fmt::format(R"(<info name="{}" value="{}"/>)", name, value);
}

inline std::string xml_bridge(int gp, bool host, int first_bus, int last_bus,
                              const std::string& below) {
  return fmt::format(R"(<object type="Bridge" gp_index="{}" bridge_type="{}" depth="{}"
                     bridge_pci="0000:[{:02x}-{:02x}]"{}>{}</object>)",
                     gp, host ? "0-1" : "1-1", host ? 0 : 1, first_bus, last_bus,
                     host ? ""
                          : fmt::format(R"( pci_busid="0000:{:02x}:00.0"
                                        pci_type="0604 [10b5:8747] [0000:0000] ca"
                                        pci_link_speed="0.000000")",
                                        first_bus - 1),
                     below);
}

inline std::string xml_socket(int index, const std::string& io) {
  std::string cores;
  for (int core = 2 * index; core < 2 * index + 2; ++core) {
    std::string sets = fmt::format(
        R"(cpuset="{0:#x}" complete_cpuset="{0:#x}" nodeset="{1:#x}" complete_nodeset="{1:#x}")",
        1 << core, 1 << index);
    cores += fmt::format(R"(<object type="Core" os_index="{0}" {1} gp_index="{2}">
                         <object type="PU" os_index="{0}" {1} gp_index="{3}"/></object>)",
                         core, sets, 20 + core, 30 + core);
  }
  std::string sets = fmt::format(
      R"(cpuset="{0:#x}" complete_cpuset="{0:#x}" nodeset="{1:#x}" complete_nodeset="{1:#x}")",
      3 << (2 * index), 1 << index);
  return fmt::format(R"(<object type="Package" os_index="{0}" {1} gp_index="{2}">
                     <object type="NUMANode" os_index="{0}" {1} gp_index="{3}" local_memory="8589934592"/>
                     {4}{5}</object>)",
                     index, sets, 10 + index, 12 + index, cores, io);
}

// A matrix over npu0 and npu1 (gp 111 and 113).
inline std::string xml_matrix(const std::string& name, int kind, const std::string& values) {
  return fmt::format(R"(<distances2 type="OSDev" nbobjs="2" kind="{}" name="{}" indexing="gp">
                     <indexes length="8">111 113 </indexes>
                     <u64values length="{}">{}</u64values></distances2>)",
                     kind, name, values.size(), values);
}

inline std::string xml_machine(const std::string& sockets, const std::string& matrices) {
  return R"(<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE topology SYSTEM "hwloc2.dtd">
      <topology version="2.0"><object type="Machine" os_index="0" cpuset="0xf" complete_cpuset="0xf"
      allowed_cpuset="0xf" nodeset="0x3" complete_nodeset="0x3" allowed_nodeset="0x3" gp_index="1">)" +
         sockets + "</object>" + matrices + "</topology>";
}

// The host described at the top; `npu0_infos` are extra facts about npu0.
inline std::string xml_npu_host(const std::string& npu0_infos, const std::string& matrices) {
  std::string behind_switch = xml_device(110, 3, "npu0", 5, npu0_infos) +
                              xml_device(112, 4, "npu1", 5) + xml_device(114, 5, "ib0", 3);
  std::string first = xml_bridge(100, true, 2, 5, xml_bridge(101, false, 3, 5, behind_switch)) +
                      xml_bridge(102, true, 0x20, 0x20, xml_device(120, 0x20, "npu2", 5));
  std::string second = xml_bridge(
      103, true, 0x40, 0x41, xml_device(130, 0x40, "npu4", 5) + xml_device(132, 0x41, "eth7", 2));
  return xml_machine(xml_socket(0, first) + xml_socket(1, second), matrices);
}

}  // namespace canopy::topology
