# Installs BUILD and moves the installation to PREFIX: nothing in it may remember where it was.
file(REMOVE_RECURSE ${PREFIX} ${PREFIX}.before)
execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD} --prefix ${PREFIX}.before RESULT_VARIABLE code OUTPUT_QUIET)
if(NOT code EQUAL 0)
  message(FATAL_ERROR "cmake --install: ${code}")
endif()
file(RENAME ${PREFIX}.before ${PREFIX})
