# Tests of the course: examples.<section>.<method>, examples.ejercicio.<variant>, examples.tutorial.
set(here ${PROJECT_SOURCE_DIR}/tests/examples)
set(methods fork forkserver spawn)
if(CMAKE_CROSSCOMPILING)
  # An emulator does not emulate across exec, and has a thread in each process that the library does not know: it might
  # let go of a lock, so that nothing is ever called a deadlock.
  set(methods fork)
  list(REMOVE_ITEM sections 11_bloques 12_interbloqueo)
endif()

foreach(section IN LISTS sections)
  foreach(method IN LISTS methods)
    add_test(NAME examples.${section}.${method}
      COMMAND ${here}/run-example ${here}/${section}.txt ${method} ${CMAKE_CROSSCOMPILING_EMULATOR}
        $<TARGET_FILE:${section}>)
    set_tests_properties(examples.${section}.${method} PROPERTIES LABELS examples TIMEOUT 120)
  endforeach()
endforeach()

# The exercise: what scripts/ejercicio says of the skeleton, the solution, and what lies between or pretends.
if(YUNTA_HAS_GMP AND NOT CMAKE_CROSSCOMPILING)
  file(GLOB variants CONFIGURE_DEPENDS ${here}/ejercicio/*.c)
  foreach(file IN LISTS variants ITEMS ${PROJECT_SOURCE_DIR}/examples/08_ejercicio.c
      ${PROJECT_SOURCE_DIR}/examples/solucion/08_solucion.c)
    get_filename_component(variant ${file} NAME_WE)
    add_test(NAME examples.ejercicio.${variant} COMMAND ${here}/run-ejercicio ${PROJECT_BINARY_DIR} ${file})
    set_tests_properties(examples.ejercicio.${variant} PROPERTIES LABELS examples TIMEOUT 120 SKIP_RETURN_CODE 77
      ENVIRONMENT LC_ALL=C) # as on a machine with nothing but what is needed
  endforeach()
endif()

add_test(NAME examples.tutorial COMMAND ${PROJECT_SOURCE_DIR}/scripts/tutorial-sync --check)
set_tests_properties(examples.tutorial PROPERTIES LABELS examples TIMEOUT 60)
