# The simulator (tests/sim/README.md): the library's own sources of what waits, instrumented as for ThreadSanitizer, with the
# simulator's runtime in its place; the rest of the library as it is. ctest sim.<scene> plays some schedules of each scene.
file(GLOB YUNTA_SIM_CORE CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/sync/*.c ${PROJECT_SOURCE_DIR}/src/shm/heap*.c
  ${PROJECT_SOURCE_DIR}/src/shm/ring*.c ${PROJECT_SOURCE_DIR}/src/comm/*.c
  ${PROJECT_SOURCE_DIR}/src/data/*.c)
list(APPEND YUNTA_SIM_CORE ${PROJECT_SOURCE_DIR}/src/shm/arena.c ${PROJECT_SOURCE_DIR}/src/shm/self.c
  ${PROJECT_SOURCE_DIR}/src/shm/slot.c ${PROJECT_SOURCE_DIR}/tests/sim/watch.c)
file(GLOB YUNTA_SIM_SOURCES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/sim/*.c)
list(REMOVE_ITEM YUNTA_SIM_SOURCES ${PROJECT_SOURCE_DIR}/tests/sim/watch.c)

add_library(yunta_sim_core OBJECT ${YUNTA_SIM_CORE})
add_executable(sim ${YUNTA_SIM_SOURCES} $<TARGET_OBJECTS:yunta_sim_core>)
foreach(target yunta_sim_core sim)
  set_target_properties(${target} PROPERTIES C_STANDARD 17 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF
    RUNTIME_OUTPUT_DIRECTORY tests)
  target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
  target_include_directories(${target} PRIVATE include src tests/sim)
  target_compile_options(${target} PRIVATE ${YUNTA_WARNINGS})
endforeach()
target_compile_options(yunta_sim_core PRIVATE -fsanitize=thread $<$<C_COMPILER_ID:GNU>:-Wno-tsan> -include ${PROJECT_SOURCE_DIR}/tests/sim/seam.h)
target_link_libraries(sim PRIVATE yunta_static)

set(YUNTA_SIM_SCHEDULES 25000 CACHE STRING "How many schedules of each scene the tests play")
foreach(scene lock lock_threads lock_newcomers recursive_lock nudge rwlock
    deadlock deadlock_threads semaphore semaphore_threads signals condition event event_work barrier
    barrier_disorder once latch latch_threads
    queue_bounded queue_unbounded queue_rings queue_stores queue_rings_closed queue_stores_closed heap
    dict_nodes dict_slots dict_words wait_many pipe pipe_stream pipe_ways topic counters string vector litmus)
  add_test(NAME sim.${scene} COMMAND sim --scene ${scene} --schedules ${YUNTA_SIM_SCHEDULES})
  set_tests_properties(sim.${scene} PROPERTIES LABELS sim TIMEOUT 120)
endforeach()

# Seeds that have found something, each a line of scene and seed; and mistakes, which it has to find.
file(STRINGS ${PROJECT_SOURCE_DIR}/tests/sim/found found REGEX "^[a-z_]+ [0-9]+")
foreach(line IN LISTS found)
  string(REGEX MATCH "^([a-z_]+) ([0-9]+)" line "${line}")
  add_test(NAME sim.found.${CMAKE_MATCH_1}.${CMAKE_MATCH_2}
    COMMAND sim --scene ${CMAKE_MATCH_1} --seed ${CMAKE_MATCH_2})
  set_tests_properties(sim.found.${CMAKE_MATCH_1}.${CMAKE_MATCH_2} PROPERTIES LABELS sim TIMEOUT 60)
endforeach()
add_test(NAME sim.mistakes
  COMMAND ${PROJECT_SOURCE_DIR}/tests/sim/mistakes ${PROJECT_BINARY_DIR} ${CMAKE_C_COMPILER})
set_tests_properties(sim.mistakes PROPERTIES LABELS sim TIMEOUT 300)
