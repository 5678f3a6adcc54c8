// Advice: for each code that the runtime returns, the likely cause and what to do about it.
#pragma once

namespace canopy::acl {

struct Advice {
  int code;
  const char* cause;
  const char* remedy;
};

// Null for codes without any.
const Advice* advice_for(int code);

}  // namespace canopy::acl
