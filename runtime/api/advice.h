// Advice: for each code that the runtime returns, the likely cause and what to do about it.
#pragma once

#include <string_view>

namespace canopy::acl {

struct Advice {
  int code;
  const char* cause;
  const char* remedy;
};

// Null for codes without any, and for sentences that tell cause and remedy themselves: what is wrong with the
// host table's file, which may come out of any call with a code that is mostly given for something else.
const Advice* advice_for(int code, std::string_view sentence);

}  // namespace canopy::acl
