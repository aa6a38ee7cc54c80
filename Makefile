# SPDX-License-Identifier: GPL-2.0
# The user's commands. kbuild reads Kbuild, never this file.
#
#   KERNEL=6.12|6.1   the guest's kernel (its headers come from the lab's cache)
#   KDIR=DIR          build against this kernel build directory instead
#   TESTS=PATTERN     run only these test groups (lio-check's NAME or NAME:FILTER, with commas)

SHELL := /bin/bash
.DEFAULT_GOAL := all
J ?= $(shell nproc)
LAB := tests/lab/lab
BUILD := build
# What the kernel modules are made of, for the staging copy and for DKMS.
KO_SOURCES := $(foreach part,$(file < packaging/ko-sources),$(wildcard $(part)))
# Modules that only the tests load: they go where the guest finds them, never into KO_SOURCES.
KO_TESTS := $(wildcard tests/guest/ko)
RUNNING := /lib/modules/$(shell uname -r)/build

# What the user asked for; below it gets a default.
KERNEL_ASKED := $(KERNEL)

# Without KERNEL= or KDIR= the running kernel is meant, if it can be built for.
ifdef KERNEL
kdir = $(shell $(LAB) kdir $(KERNEL))
else ifdef KDIR
kdir = $(KDIR)
else ifneq ($(wildcard $(RUNNING)/Makefile),)
kdir = $(RUNNING)
else
KERNEL := 6.12
kdir = $(shell $(LAB) kdir $(KERNEL))
endif

.PHONY: all modules user setup demo check-modules check check-debug check-long bench shell install uninstall clean help

all: modules user

help:
	@sed -n 's/^##//p' $(MAKEFILE_LIST)

## make                builds the modules (running kernel, else 6.12), handlers and tests
## make modules        only the modules; KERNEL=6.12|6.1 or KDIR=... picks the kernel
## make user           only the userspace programs and tests
## make setup          installs what the host needs (as root; else says what is missing)
setup:
	@$(LAB) setup

# Built in a copy of the sources, so that kernels do not share object files.
modules: setup
ifneq ($(filter %-debug,$(KERNEL)),)
	@echo "  MODULES $(KERNEL), inside its tree"
	@$(LAB) build-in-tree $(KERNEL) $(CURDIR) $(CURDIR)/$(BUILD)/ko-$$($(LAB) release $(KERNEL))
else
	@kdir="$(kdir)"; [[ -e $$kdir/Makefile ]] || { echo "no kernel build directory for '$(or $(KDIR),$(KERNEL),running kernel)'" >&2; exit 1; }; \
	release=$$(sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' "$$kdir/include/generated/utsrelease.h"); stage=$(BUILD)/ko-$$release; mkdir -p $$stage; \
	exec 9>$$stage.lock; flock 9; \
	find $$stage -type f \( -name '*.[ch]' ! -name '*.mod.c' -o -name Kbuild -o -name Makefile -o -name Kconfig \) -delete; \
	tar -c $(KO_SOURCES) $(KO_TESTS) | tar -x -C $$stage; \
	echo "  MODULES $$release"; $(MAKE) --no-print-directory -C "$$kdir" M=$(CURDIR)/$$stage LIO_TESTS=m W=$(or $(W),1) $(if $(C),C=$(C)) modules
endif

user: setup
	@[[ -e $(BUILD)/user/build.ninja ]] || cmake -S . -B $(BUILD)/user -G Ninja >/dev/null
	@cmake --build $(BUILD)/user -j $(J)$(if $(USER_TARGETS), --target $(USER_TARGETS))

## make demo           a userspace LUN from end to end in a guest; KERNEL=6.12|6.1
demo:
	@KERNEL=$(or $(KERNEL),6.12) tests/demo/demo

# Tests and figures are about both kernels, unless KERNEL= names one.
LAB_KERNELS = $(or $(KERNEL_ASKED),6.12 6.1)
check-modules: setup
	@$(LAB) prepare $(LAB_KERNELS)
	@for kernel in $(LAB_KERNELS); do $(MAKE) --no-print-directory modules KERNEL=$$kernel || exit; done

## make check          the tests, on the host and in guests with both kernels; TESTS=..., KERNEL=...
check: check-modules user
	@$(BUILD)/user/bin/lio-check $(if $(KERNEL_ASKED),--kernel $(KERNEL_ASKED)) $(TESTS)

## make check-debug    the guest tests, faults, fuzzers and races with a sanitizer kernel; TESTS=...
check-debug: LAB_KERNELS = 6.12-debug
check-debug: check-modules user
	@rm -rf $(BUILD)/results/*/gcov
	@$(BUILD)/user/bin/lio-check --tier debug -j 3 $(TESTS)

## make check-long     the same with the full counts, and the tests of the installation (hours)
check-long: LAB_KERNELS = $(or $(KERNEL_ASKED),6.12 6.1 6.12-rt 6.12-debug)
check-long: check-modules user
	@$(BUILD)/user/bin/lio-check --tier long --record tests/results-long.json $(if $(KERNEL_ASKED),--kernel $(KERNEL_ASKED)) $(TESTS)

## make bench          instructions per I/O, ours beside stock and ublk
bench: KERNEL_ASKED := $(or $(KERNEL),6.12)
bench: check-modules user
	@$(BUILD)/user/bin/lio-bench --kernel $(KERNEL_ASKED) $(BENCH)

## make shell          a root shell in a guest with our modules in place; KERNEL=...
shell: LAB_KERNELS = $(or $(KERNEL_ASKED),6.12)
shell: check-modules user
	@$(LAB) shell --kernel $(LAB_KERNELS)

## make install        builds and installs the modules with DKMS (root); KERNELS="RELEASE..."
install:
	@packaging/dkms install $(KERNELS)

## make uninstall      removes them: the distribution's modules are back
uninstall:
	@packaging/dkms uninstall

## make clean          removes what was built (not the lab's cache: tests/lab/lab clean)
clean:
	rm -rf $(BUILD)
