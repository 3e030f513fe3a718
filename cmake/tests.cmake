# The tests: every tests/<folder>/test_<name>.c is a program, the ctest <folder>.<name> with the label <folder>.
#
# A test may say more in its opening comment, in lines of their own:
#     labels: threads valgrind      further labels; `make check` runs these two under ThreadSanitizer and Valgrind
#     timeout: 300                  seconds, instead of 120
# Tests link the static library, where the functions between files (yn_…) are visible.
set(YUNTA_TEST_FOLDERS base os shm sync proc comm pool crash stress)

function(yunta_add_check_test source)
  get_filename_component(folder ${source} DIRECTORY)
  get_filename_component(folder ${folder} NAME)
  get_filename_component(name ${source} NAME_WE)
  string(REPLACE "test_" "" name ${name})
  set(program test_${folder}_${name})

  add_executable(${program} ${source})
  set_target_properties(${program} PROPERTIES C_STANDARD 17 C_EXTENSIONS OFF RUNTIME_OUTPUT_DIRECTORY tests)
  target_compile_definitions(${program} PRIVATE _GNU_SOURCE)
  target_compile_options(${program} PRIVATE ${YUNTA_WARNINGS})
  target_include_directories(${program} PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(${program} PRIVATE yunta_testlib)
  set_target_properties(${program} PROPERTIES ENABLE_EXPORTS ON)

  set(labels ${folder})
  set(timeout 120)
  file(STRINGS ${source} tags REGEX "^[ /*]*(labels|timeout): ")
  foreach(tag IN LISTS tags)
    if(tag MATCHES "labels: ([a-z ]+)")
      string(STRIP "${CMAKE_MATCH_1}" words)
      string(REGEX REPLACE " +" ";" words "${words}")
      list(APPEND labels ${words})
    elseif(tag MATCHES "timeout: ([0-9]+)")
      set(timeout ${CMAKE_MATCH_1})
    endif()
  endforeach()
  add_test(NAME ${folder}.${name} COMMAND ${program})
  set_tests_properties(${folder}.${name} PROPERTIES LABELS "${labels}" TIMEOUT ${timeout} SKIP_RETURN_CODE 77)
  set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
endfunction()

if(YUNTA_CHECK)
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(CHECK REQUIRED IMPORTED_TARGET check)
  file(GLOB testlib CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/lib/*.c)
  add_library(yunta_testlib STATIC ${testlib})
  set_target_properties(yunta_testlib PROPERTIES C_STANDARD 17 C_EXTENSIONS OFF)
  target_compile_definitions(yunta_testlib PRIVATE _GNU_SOURCE)
  target_compile_options(yunta_testlib PRIVATE ${YUNTA_WARNINGS} PUBLIC -UNDEBUG)
  target_include_directories(yunta_testlib PUBLIC ${PROJECT_SOURCE_DIR}/tests/lib)
  target_link_libraries(yunta_testlib PUBLIC yunta_static PkgConfig::CHECK)

  foreach(folder IN LISTS YUNTA_TEST_FOLDERS)
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${folder}/test_*.c)
    foreach(source IN LISTS sources)
      yunta_add_check_test(${source})
    endforeach()
  endforeach()
endif()
