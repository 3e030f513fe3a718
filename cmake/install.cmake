# What `cmake --install` puts where: headers, both libraries, the pkg-config file, the CMake package.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/yunta)

install(TARGETS yunta yunta_static EXPORT yunta)
install(FILES ${YUNTA_HEADERS} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/yunta)
install(EXPORT yunta NAMESPACE yunta:: FILE yunta-targets.cmake DESTINATION ${package_dir})

configure_package_config_file(cmake/yunta-config.cmake.in ${PROJECT_BINARY_DIR}/yunta-config.cmake
  INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/yunta-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/yunta-config.cmake ${PROJECT_BINARY_DIR}/yunta-config-version.cmake
  DESTINATION ${package_dir})

# The prefix is told relative to the .pc file, so an installed tree may be moved (DESTDIR does that).
file(RELATIVE_PATH YUNTA_PC_TO_PREFIX ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" YUNTA_PC_TO_PREFIX "${YUNTA_PC_TO_PREFIX}")
configure_file(cmake/yunta.pc.in ${PROJECT_BINARY_DIR}/yunta.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/yunta.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
