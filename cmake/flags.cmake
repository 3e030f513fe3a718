# Build type, warnings and sanitizers. YUNTA_WARNINGS is for every target of this project, none of its users.
if(PROJECT_IS_TOP_LEVEL AND NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Debug, Release, RelWithDebInfo or MinSizeRel" FORCE)
endif()
if(PROJECT_IS_TOP_LEVEL)
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
endif()

set(YUNTA_WARNINGS -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes)
if(YUNTA_WERROR)
  list(APPEND YUNTA_WARNINGS -Werror)
endif()

if(YUNTA_SANITIZE)
  add_compile_options(-fsanitize=${YUNTA_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${YUNTA_SANITIZE})
endif()

# The version stands in the header, for programs, and in CMakeLists.txt, for packages: they must agree.
file(STRINGS ${PROJECT_SOURCE_DIR}/include/yunta/init.h version_line REGEX "define YUNTA_VERSION \"")
if(NOT version_line MATCHES "\"${PROJECT_VERSION}\"")
  message(FATAL_ERROR "include/yunta/init.h does not say version ${PROJECT_VERSION}: ${version_line}")
endif()
