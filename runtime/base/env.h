// Environment variables, parsed in one place. Reads only; callers may be on any thread as long as
// nobody calls setenv at the same time (as with getenv).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace canopy::env {

// The value, or nothing when the variable is unset or empty.
std::optional<std::string> text(const char* name);
// A decimal integer; a value that is not one is reported (once) and counts as absent.
std::optional<int64_t> integer(const char* name);
// A size with an optional binary suffix K, M, G, T (case does not matter; "1.5G" is legal).
std::optional<uint64_t> bytes(const char* name);
// 1/0, true/false, yes/no, on/off.
bool flag(const char* name, bool fallback);

// The parser behind bytes(), for values that come from files and command lines.
std::optional<uint64_t> parse_bytes(std::string_view value);

// Ranks of this job on this host, as launchers tell it in the environment; 1 without a launcher.
int local_ranks();
int local_rank();

// The same on this machine: as many as on this host, times the fake hosts that share its cores
// (`canopy cluster` tells them how many they are in CANOPY_CLUSTER_HOSTS).
int64_t ranks_on_machine();

}  // namespace canopy::env
