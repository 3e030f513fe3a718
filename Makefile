# The front door. The build itself is CMake's: CMakeLists.txt, CMakePresets.json.
PREFIX ?= /usr/local
DESTDIR ?=
BENCH ?=

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

demo: ## build what is needed and run the eight sections of the course, one after the other
	@scripts/setup demo && scripts/build release build/release -DYUNTA_BUILD_BENCH=OFF && scripts/demo

test: ## build everything and run the tests
	@scripts/setup test && scripts/build dev && ctest --preset dev

check: ## the tests under sanitizers and Valgrind, with musl and for aarch64, a clang build, the static analysers
	@scripts/setup check && scripts/check

coverage: ## which lines the tests reach, also in processes that are killed; build/cov/html
	@scripts/setup coverage && scripts/coverage

bench: ## measure, beside the peers; BENCH="start pool" for some of it
	@scripts/setup bench && scripts/build release build/bench -DYUNTA_BUILD_BENCH=ON -DYUNTA_BUILD_EXAMPLES=OFF
	@scripts/bench $(BENCH)

ejercicio: ## compile and check your solution of the exercise; says what is still missing
	@scripts/setup demo && scripts/ejercicio

docs: ## where to begin reading
	@ls -d README*.md ARCHITECTURE.md docs/*/ include/yunta/yunta.h

install: ## install library, headers, pkg-config file and CMake package; PREFIX=/usr/local DESTDIR=
	@scripts/setup build && scripts/build release build/install -DYUNTA_BUILD_EXAMPLES=OFF -DYUNTA_BUILD_BENCH=OFF -DCMAKE_INSTALL_PREFIX=$(PREFIX)
	@DESTDIR=$(DESTDIR) cmake --install build/install

clean: ## remove everything that was built
	rm -rf build

.PHONY: help demo test check coverage bench ejercicio docs install clean
