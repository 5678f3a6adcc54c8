// The generic names as overloads of C++ (§5 exception 3).
#include "conformance.h"

#include "generics.inc"

void chapter_overloads(void) { call_all(); }
