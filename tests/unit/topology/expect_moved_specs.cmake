# Copies PROGRAM and the spec SPEC into an installation of its own under FOLDER, and finds the spec under a
# new name through PATH: then argv[0] does not tell where the program lies.
file(REMOVE_RECURSE ${FOLDER})
file(COPY ${PROGRAM} DESTINATION ${FOLDER}/bin)
configure_file(${SPEC} ${FOLDER}/share/canopy/specs/moved.json COPYONLY)
get_filename_component(name ${PROGRAM} NAME)
set(ENV{PATH} "${FOLDER}/bin:$ENV{PATH}")
execute_process(COMMAND sh -c "${name} topo --list" WORKING_DIRECTORY / RESULT_VARIABLE code OUTPUT_VARIABLE out)
file(REMOVE_RECURSE ${FOLDER})
if(NOT code EQUAL 0 OR NOT out MATCHES "moved")
  message(FATAL_ERROR "canopy topo --list (exit code ${code}) does not show the installed spec 'moved':\n${out}")
endif()
