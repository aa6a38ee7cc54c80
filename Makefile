# SPDX-License-Identifier: GPL-2.0
# The user's commands. kbuild reads Kbuild, never this file.
#
#   KERNEL=6.12|6.1   the guest's kernel (its headers come from the lab's cache)
#   KDIR=DIR          build against this kernel build directory instead
#   TESTS=PATTERN     run only these test groups

SHELL := /bin/bash
.DEFAULT_GOAL := all
J ?= $(shell nproc)
LAB := tests/lab/lab
BUILD := build
RUNNING := /lib/modules/$(shell uname -r)/build

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

.PHONY: all modules user setup demo check check-long bench shell install uninstall clean help

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
	@kdir="$(kdir)"; [[ -e $$kdir/Makefile ]] || { echo "no kernel build directory for '$(or $(KDIR),$(KERNEL),running kernel)'" >&2; exit 1; }; \
	release=$$(sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' "$$kdir/include/generated/utsrelease.h"); stage=$(BUILD)/ko-$$release; mkdir -p $$stage; \
	rsync -a --delete --exclude='*.o' --exclude='*.ko' --exclude='*.mod' --exclude='*.mod.c' --exclude='.*.cmd' --exclude=Module.symvers --exclude=modules.order \
		Kbuild Kconfig $(wildcard *.c) include user loopback $$stage/; \
	echo "  MODULES $$release"; $(MAKE) --no-print-directory -C "$$kdir" M=$(CURDIR)/$$stage W=$(or $(W),1) $(if $(C),C=$(C)) modules

user: setup
	@[[ -e $(BUILD)/user/build.ninja ]] || cmake -S . -B $(BUILD)/user -G Ninja >/dev/null
	@cmake --build $(BUILD)/user -j $(J)

clean:
	rm -rf $(BUILD)
