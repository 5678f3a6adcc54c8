// Who greets a broker says which slot of the host table it holds, and what it leaves pending when it vanishes is told by
// that. So the slot is proved: the socket's credentials must name the process that the slot names.
//
// The kernel gives the pid as we see it, the slot has it as its owner sees itself, with its pid namespace. Of our own
// namespace both must be equal. Of another one, /proc translates: the last number of NSpid in /proc/PID/status, and the
// namespace at /proc/PID/ns/pid. Whom we cannot see (pid 0: its namespace does not lie below ours, as between two containers
// with one /dev/shm), or of whom /proc says nothing, is believed when it names a slot of a namespace that is not ours:
// refusing would keep such containers from sharing at all. So a lie can hit none but processes that we do not see either.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace canopy {

class HostTable;

// Why the process `pid` cannot be who holds `slot` for the time that `age` tells; "": it is, or nobody can tell.
std::string doubt_claim(const HostTable& table, uint32_t slot, uint8_t age, pid_t pid);

// The number here of who is `pid` in that namespace; 0: nobody to be seen is.
pid_t pid_from_here(pid_t pid, uint64_t pid_namespace);

// Whether that process lives, and brokers of its network namespace cannot be reached from ours. False also where /proc does
// not tell.
bool lives_in_another_network(pid_t pid, uint64_t pid_namespace);

// The calling process's pid namespace, as a number; 0: not known.
uint64_t own_pid_namespace();

}  // namespace canopy
