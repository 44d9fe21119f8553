# SPDX-License-Identifier: Apache-2.0
# The same seed twice is the same run to the last byte; another seed is not.
function(run seed out)
    execute_process(COMMAND ${SIM} --seed ${seed} --nodes 12 --scenario random
                    OUTPUT_VARIABLE said RESULT_VARIABLE status)
    if(NOT status EQUAL 0)
        message(FATAL_ERROR "seed ${seed}: status ${status}\n${said}")
    endif()
    string(REGEX REPLACE "^.*trace=" "" trace "${said}")
    set(${out} "${said}" PARENT_SCOPE)
    set(${out}_trace "${trace}" PARENT_SCOPE)
endfunction()

run(11 first)
run(11 again)
run(12 other)
if(NOT first STREQUAL again)
    message(FATAL_ERROR "seed 11 twice:\n${first}\n${again}")
endif()
if(first_trace STREQUAL other_trace)
    message(FATAL_ERROR "seeds 11 and 12 have one trace: ${first_trace}")
endif()
