# The simulator (tests/sim/README.md): the library's own sources of what waits, instrumented as for ThreadSanitizer, with the
# simulator's runtime in its place; the rest of the library as it is. ctest sim.<scene> plays some schedules of each scene.
file(GLOB YUNTA_SIM_CORE CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/sync/*.c ${PROJECT_SOURCE_DIR}/src/shm/heap*.c)
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
target_compile_options(yunta_sim_core PRIVATE -fsanitize=thread -include ${PROJECT_SOURCE_DIR}/tests/sim/seam.h)
target_link_libraries(sim PRIVATE yunta_static)

set(YUNTA_SIM_SCHEDULES 25000 CACHE STRING "How many schedules of each scene the tests play")
foreach(scene lock lock_threads lock_newcomers recursive_lock rwlock semaphore signals condition event barrier
    barrier_disorder once)
  add_test(NAME sim.${scene} COMMAND sim --scene ${scene} --schedules ${YUNTA_SIM_SCHEDULES})
  set_tests_properties(sim.${scene} PROPERTIES LABELS sim TIMEOUT 120)
endforeach()
