# SPDX-License-Identifier: Apache-2.0
# The front door. The build itself is CMakeLists.txt; this only knows the
# few commands that people want. `make help` lists them.

BUILD       = build
PREFIX      = /usr/local
FUZZ_TIME   = 60
CMAKE_FLAGS =

FIND_C  = find . \( -name node_modules -o -path './build*' \) -prune \
    -o -name '*.[ch]'

.PHONY: all run test check bench fuzz format install clean help

all:
	@cmake -S . -B $(BUILD) -G Ninja --log-level=WARNING \
	    -DCMAKE_INSTALL_PREFIX="$(PREFIX)" $(CMAKE_FLAGS)
	@cmake --build $(BUILD)

# A mesh of several agents on this machine.
run:
	@tools/install-deps run
	@$(MAKE) --no-print-directory all
	@tools/run-mesh

test:
	@tools/install-deps test
	@$(MAKE) --no-print-directory all
	@ctest --test-dir $(BUILD) --output-on-failure -j2

# Sanitizers, static analysis, format and habits.
check:
	@tools/install-deps test
	@tools/check

bench:
	@tools/install-deps test
	@$(MAKE) --no-print-directory all
	@bench/run $(BUILD)

# Every fuzzer for FUZZ_TIME seconds; what it finds stays in build-fuzz.
fuzz:
	@tools/install-deps test
	@tools/fuzz $(FUZZ_TIME)

format:
	@$(FIND_C) -exec clang-format -i {} +

install: all
	@DESTDIR="$(DESTDIR)" cmake --install $(BUILD) --prefix "$(PREFIX)"

clean:
	rm -rf "$(BUILD)" build-asan build-fuzz

help:
	@echo 'make            build into $(BUILD)/'
	@echo 'make run        build, and start a small mesh on this machine'
	@echo 'make test       build, and run all tests'
	@echo 'make check      sanitizers, static analysis, format, habits'
	@echo 'make bench      build, and measure'
	@echo 'make fuzz       run each fuzzer for FUZZ_TIME=$(FUZZ_TIME) seconds'
	@echo 'make format     clang-format all C files'
	@echo 'make install    build, and install: PREFIX=$(PREFIX) DESTDIR='
	@echo 'make clean      remove what was built'
	@echo
	@echo 'run, test, check, bench and fuzz install missing Debian packages'
	@echo 'first (tools/install-deps); nothing else installs anything.'
