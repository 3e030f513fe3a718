# The tests: every tests/<folder>/test_<name>.c is a program, the ctest <folder>.<name> with the label <folder>.
#
# A test may say more in its opening comment, in lines of their own:
#     labels: threads valgrind      further labels; `make check` runs these two under ThreadSanitizer and Valgrind
#     timeout: 300                  seconds, instead of 120; YUNTA_TIMEOUT_FACTOR times as many in slow tools
#     links: NAME                   the shared library made of tests/<folder>/plugin_NAME.c
# What includes a header called …step… or …stepkill… gets the label stepped: it single-steps processes to their death.
# TEST_PROGRAMS is the folder of all these, for dlopen.
# Tests link the static library, where the functions between files (yn_…) are visible.
set(YUNTA_TIMEOUT_FACTOR 1 CACHE STRING "What the tests' time limits are multiplied by")
set(YUNTA_TEST_FOLDERS base os shm sync data proc comm pool crash)

function(yunta_add_check_test source)
  get_filename_component(folder ${source} DIRECTORY)
  get_filename_component(folder ${folder} NAME)
  get_filename_component(name ${source} NAME_WE)
  string(REPLACE "test_" "" name ${name})
  set(program test_${folder}_${name})

  add_executable(${program} ${source})
  set_target_properties(${program} PROPERTIES C_STANDARD 17 C_EXTENSIONS OFF RUNTIME_OUTPUT_DIRECTORY tests)
  target_compile_definitions(${program} PRIVATE _GNU_SOURCE TEST_PROGRAMS="${PROJECT_BINARY_DIR}/tests")
  target_compile_options(${program} PRIVATE ${YUNTA_WARNINGS})
  target_include_directories(${program} PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(${program} PRIVATE yunta_testlib)
  set_target_properties(${program} PROPERTIES ENABLE_EXPORTS ON)

  set(labels ${folder})
  set(timeout 120)
  file(STRINGS ${source} tags REGEX "^[ /*]*(labels|timeout|links): ")
  foreach(tag IN LISTS tags)
    if(tag MATCHES "labels: ([a-z ]+)")
      string(STRIP "${CMAKE_MATCH_1}" words)
      string(REGEX REPLACE " +" ";" words "${words}")
      list(APPEND labels ${words})
    elseif(tag MATCHES "timeout: ([0-9]+)")
      set(timeout ${CMAKE_MATCH_1})
    elseif(tag MATCHES "links: ([a-z0-9_]+)")
      target_link_libraries(${program} PRIVATE plugin_${CMAKE_MATCH_1})
    endif()
  endforeach()
  file(STRINGS ${source} steps REGEX "^#include \".*step.*\\.h\"")
  if(steps)
    list(APPEND labels stepped)
  endif()
  math(EXPR timeout "${timeout} * ${YUNTA_TIMEOUT_FACTOR}")
  add_test(NAME ${folder}.${name} COMMAND ${program})
  set_tests_properties(${folder}.${name} PROPERTIES LABELS "${labels}" TIMEOUT ${timeout} SKIP_RETURN_CODE 77)
  set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
endfunction()

# Calls of the library in a plugin end in the program, which exports what it has of it.
function(yunta_add_test_plugin source)
  get_filename_component(name ${source} NAME_WE)
  add_library(${name} SHARED ${source})
  set_target_properties(${name} PROPERTIES C_STANDARD 17 C_EXTENSIONS OFF LIBRARY_OUTPUT_DIRECTORY tests)
  target_compile_definitions(${name} PRIVATE _GNU_SOURCE)
  target_compile_options(${name} PRIVATE ${YUNTA_WARNINGS})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/include)
endfunction()

if(YUNTA_CHECK)
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(CHECK REQUIRED IMPORTED_TARGET check)
  file(GLOB testlib CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/lib/*.c)
  add_library(yunta_testlib STATIC ${testlib})
  set_target_properties(yunta_testlib PROPERTIES C_STANDARD 17 C_EXTENSIONS OFF)
  target_compile_definitions(yunta_testlib PRIVATE _GNU_SOURCE)
  target_compile_options(yunta_testlib PRIVATE ${YUNTA_WARNINGS} PUBLIC -UNDEBUG)
  target_include_directories(yunta_testlib PUBLIC ${PROJECT_SOURCE_DIR}/tests/lib PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(yunta_testlib PUBLIC yunta_static PkgConfig::CHECK)

  foreach(folder IN LISTS YUNTA_TEST_FOLDERS)
    file(GLOB plugins CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${folder}/plugin_*.c)
    foreach(source IN LISTS plugins)
      yunta_add_test_plugin(${source})
    endforeach()
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${folder}/test_*.c)
    foreach(source IN LISTS sources)
      yunta_add_check_test(${source})
    endforeach()
  endforeach()
endif()

# The public headers, each alone, as strictly as can be, in both languages.
include(CheckLanguage)
check_language(CXX)
set(strict -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -fsyntax-only -DYUNTA_UNSTABLE
  -I${PROJECT_SOURCE_DIR}/include)
foreach(header IN LISTS YUNTA_HEADERS)
  get_filename_component(name ${header} NAME_WE)
  add_test(NAME headers.${name}.c17
    COMMAND ${CMAKE_C_COMPILER} -std=c17 ${strict} -x c -include ${header} /dev/null)
  add_test(NAME headers.${name}.c++17
    COMMAND ${CMAKE_CXX_COMPILER} -std=c++17 ${strict} -x c++ -include ${header} /dev/null)
  set_tests_properties(headers.${name}.c17 headers.${name}.c++17 PROPERTIES LABELS headers)
endforeach()

set(names ${PROJECT_SOURCE_DIR}/tests/headers/names.c)
add_test(NAME headers.names.c17 COMMAND ${CMAKE_C_COMPILER} -std=c17 ${strict} -x c ${names})
add_test(NAME headers.names.c++17 COMMAND ${CMAKE_CXX_COMPILER} -std=c++17 ${strict} -x c++ ${names})
set_tests_properties(headers.names.c17 headers.names.c++17 PROPERTIES LABELS headers)

add_executable(test_sample ${PROJECT_SOURCE_DIR}/tests/headers/sample.c)
set_target_properties(test_sample PROPERTIES C_STANDARD 17 C_EXTENSIONS OFF RUNTIME_OUTPUT_DIRECTORY tests)
target_compile_options(test_sample PRIVATE ${YUNTA_WARNINGS})
target_link_libraries(test_sample PRIVATE yunta_static)
add_test(NAME headers.sample COMMAND test_sample)
set_tests_properties(headers.sample PROPERTIES LABELS headers TIMEOUT 60)

# The rules of the house, and the installed library as others see it; what is instrumented is neither shown nor installed.
foreach(rule layers sizes)
  add_test(NAME house.${rule} COMMAND ${PROJECT_SOURCE_DIR}/scripts/check-${rule})
  set_tests_properties(house.${rule} PROPERTIES LABELS house)
endforeach()
if(NOT YUNTA_SANITIZE AND NOT CMAKE_C_FLAGS MATCHES "-fprofile|-fcoverage" AND NOT CMAKE_CROSSCOMPILING_EMULATOR)
  add_test(NAME house.names COMMAND ${PROJECT_SOURCE_DIR}/scripts/check-names ${PROJECT_BINARY_DIR})
  add_test(NAME headers.readme
    COMMAND ${PROJECT_SOURCE_DIR}/tests/headers/readme ${PROJECT_BINARY_DIR} ${CMAKE_C_COMPILER})
  set_tests_properties(house.names PROPERTIES LABELS house)
  set_tests_properties(headers.readme PROPERTIES LABELS headers TIMEOUT 60)
  if(YUNTA_INSTALL)
    add_test(NAME consumer
      COMMAND ${PROJECT_SOURCE_DIR}/tests/consumer/run ${PROJECT_BINARY_DIR} ${CMAKE_C_COMPILER})
    set_tests_properties(consumer PROPERTIES LABELS house TIMEOUT 120)
  endif()
endif()

# Where sanitizers and Valgrind write what they find (the presets say so, scripts/check reads it): into files, since a
# worker's stderr may lead anywhere and its exit status be an expected one.
if(YUNTA_REPORTS)
  file(MAKE_DIRECTORY ${YUNTA_REPORTS})
endif()

if(YUNTA_CHECK AND NOT YUNTA_SANITIZE AND NOT CMAKE_C_FLAGS MATCHES "-fprofile|-fcoverage" AND NOT CMAKE_CROSSCOMPILING_EMULATOR)
  include(cmake/sim.cmake)
endif()
