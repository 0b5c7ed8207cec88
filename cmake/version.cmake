# SPDX-License-Identifier: Apache-2.0
# Writes OUTPUT, a header with ALLOT_VERSION: VERSION, and the git revision of SOURCE where SOURCE is
# the top of a git work tree (a tarball has none). Runs at every build; an unchanged file is not
# touched, so that nothing is compiled again.
set(text "${VERSION}")
if(EXISTS "${SOURCE}/.git")
  execute_process(COMMAND git -C "${SOURCE}" describe --always --dirty --exclude=* --abbrev=12
                  OUTPUT_VARIABLE revision OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET
                  RESULT_VARIABLE status)
  if(status EQUAL 0)
    string(APPEND text " (git ${revision})")
  endif()
endif()
file(CONFIGURE OUTPUT "${OUTPUT}" CONTENT "#define ALLOT_VERSION \"${text}\"\n")
