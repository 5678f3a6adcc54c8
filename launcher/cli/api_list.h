// What of the acl interface this build has, from the table that the runtime itself is built from.
#pragma once

namespace canopy::cli {

// Per header what is built and what is not, with counts, and the sum; to standard output.
void print_api();

}  // namespace canopy::cli
