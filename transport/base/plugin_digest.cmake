# cmake -DROOT=... -DOUT=... -DVERSION=... -DCOMPILER=... -DFLAGS=... -P plugin_digest.cmake FILES...: writes
# the source by which library and plugin tell whether they are of one build.
cmake_minimum_required(VERSION 3.25)
set(all "${FLAGS}")
math(EXPR last "${CMAKE_ARGC} - 1")
set(listed FALSE)
foreach(i RANGE ${last})
  if(listed)
    file(SHA256 ${ROOT}/${CMAKE_ARGV${i}} digest)
    string(APPEND all "\n${CMAKE_ARGV${i}} ${digest}")
  elseif("${CMAKE_ARGV${i}}" STREQUAL "FILES")
    set(listed TRUE)
  endif()
endforeach()
string(SHA256 digest "${all}")
string(SUBSTRING ${digest} 0 16 digest)
file(CONFIGURE OUTPUT ${OUT} @ONLY CONTENT "// Made by plugin_digest.cmake.
#include \"transport/base/plugin.h\"

namespace canopy::transport {

const char* plugin_build() { return \"@VERSION@-@digest@ (@COMPILER@)\"; }

}  // namespace canopy::transport
")
