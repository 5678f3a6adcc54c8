# What canopy-waits tells of a program that gdb has stopped, and of a core file.
# GDB, SCRIPT, PROGRAM, WORK.
function(gdb out)
  execute_process(COMMAND ${GDB} -q -nx -batch ${ARGN} RESULT_VARIABLE code OUTPUT_VARIABLE text ERROR_VARIABLE errors
                  TIMEOUT 100 INPUT_FILE /dev/null)
  set(${out} "${text}${errors}" PARENT_SCOPE)
endfunction()

# Without leave to trace others (a container) there is nothing to test.
gdb(text -ex run -ex "source ${SCRIPT}" -ex canopy-waits /bin/true)
if(NOT text MATCHES "exited normally")
  message("SKIPPED: gdb cannot run programs here: ${text}")
  return()
endif()
if(NOT text MATCHES "the program has no Canopy runtime")
  message(SEND_ERROR "of another program it says:\n${text}")
endif()

function(expect text)
  foreach(wanted
      "kernel forgetful block 0 of 2: waits for the other block: the word at 0x[0-9a-f]+ to be at least 5, it is -1\n"
      "kernel forgetful block 1 of 2: waits for SyncAll: the word at 0x[0-9a-f]+ to be at least 2, it is 1\n"
      "wait_for_the_other"
      "canopy_sync_all"
      "device 0 stream [0-9]+: waits for the record of event [0-9]+, which has not been made yet\n"
      "device 0 stream [0-9]+: waits for the record of event [0-9]+, for 900 s at most, which has not been made yet\n"
      "device 0 stream [0-9]+: waits for notify [0-9]+ to be equal to 1, it is 0\n"
      "device 0 stream [0-9]+: waits for the word at 0x[0-9a-f]+ to be without a bit outside of 0x2a, it is 0xffffffffffffffff\n")
    if(NOT text MATCHES "${wanted}")
      message(SEND_ERROR "'${wanted}' is not in:\n${text}")
    endif()
  endforeach()
endfunction()

set(core ${WORK}/gdb_test.core)
file(REMOVE ${core})
gdb(text -ex run -ex "source ${SCRIPT}" -ex canopy-waits -ex "generate-core-file ${core}" ${PROGRAM})
expect("${text}")
gdb(text -ex "source ${SCRIPT}" -ex "canopy-waits brief" -ex "echo ---\\n" -ex canopy-waits ${PROGRAM} ${core})
expect("${text}")
string(REGEX REPLACE "---.*" "" brief "${text}")
if(brief MATCHES "wait_for_the_other" OR NOT brief MATCHES "kernel forgetful block 1")
  message(SEND_ERROR "brief tells:\n${brief}")
endif()
file(REMOVE ${core})
