# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# One run: options, the disk with what goes in, QEMU, the verdict.

# How the kernel says that it is broken. Matched against the console log, which has warnings and worse.
OOPS='BUG: |kernel BUG at|Oops|WARNING: (CPU|possible|suspicious|inconsistent|bad|lock|nested|kernel)|Kernel panic'
OOPS+='|general protection|INFO: task .* blocked for more than|rcu.*(detected|self-detected).*stall|soft lockup|hard LOCKUP'
OOPS+='|Unable to handle|KASAN|KFENCE|KCSAN|UBSAN|kmemleak: [0-9]|ODEBUG|refcount_t: |list_(add|del).*corruption'
OOPS+='|divide error|double fault|invalid opcode|detected buffer overflow|usercopy: |workqueue lockup'
OOPS+='|unregister_netdevice: waiting|lab: no disk'

BOOT_LIMIT=180
# A program that still runs this long after an oops is not going to end.
OOPS_GRACE=20

# shellcheck disable=SC2034
OPT_KERNEL=6.12 OPT_KODIR='' OPT_OURS=all OPT_TIMEOUT='' OPT_MEM=1500 OPT_SMP='' OPT_ICOUNT='' OPT_APPEND='' OPT_OUT=''
OPT_FILES=() OPT_DISKS=() OPT_QEMU=() PROGRAM=()
RUN='' JUDGED='' QEMU_PID='' TTY_STATE='' MERGED='' MODE=program STREAMS=()

# shellcheck disable=SC2034
run_options() {
	while [[ $# -gt 0 ]]; do
		case $1 in
		--icount) OPT_ICOUNT=1; shift; continue ;;
		--) shift; PROGRAM=("$@"); break ;;
		-*) [[ $# -ge 2 ]] || die "$1 needs a value" ;;
		*) PROGRAM=("$@"); break ;;
		esac
		case $1 in
		--kernel) OPT_KERNEL=$(kernel_name "$2") ;;
		--ours) OPT_OURS=$2 ;;
		--kodir) OPT_KODIR=$2 ;;
		--timeout) OPT_TIMEOUT=$2 ;;
		--mem) OPT_MEM=$2 ;;
		--smp) OPT_SMP=$2 ;;
		--file) OPT_FILES+=("$2") ;;
		--disk) OPT_DISKS+=("$2") ;;
		--append) OPT_APPEND+=" $2" ;;
		--qemu) OPT_QEMU+=("$2") ;;
		--out) OPT_OUT=$2 ;;
		*) die "unknown option $1" ;;
		esac
		shift 2
	done
	OPT_SMP=${OPT_SMP:-$([[ -n $OPT_ICOUNT ]] && echo 1 || echo 2)}
}

# What PROGRAM is, and how long it may take.
run_mode() {
	if [[ $1 == program ]]; then
		[[ ${#PROGRAM[@]} -gt 0 ]] || die "no program to run"
		OPT_TIMEOUT=${OPT_TIMEOUT:-300}
	elif [[ -t 0 ]]; then
		MODE=terminal
		PROGRAM=(bash -l)
	else
		cat >"$RUN/commands"
		OPT_FILES+=("$RUN/commands:/run/commands")
		PROGRAM=(bash /run/commands)
	fi
	OPT_TIMEOUT=${OPT_TIMEOUT:-1000000000}
	[[ $OPT_TIMEOUT =~ ^[1-9][0-9]*$ ]] || die "--timeout wants seconds"
	# shellcheck disable=SC2034
	if [[ /dev/fd/1 -ef /dev/fd/2 ]]; then MERGED=1; fi
}

# Also called when a command of the lab failed: that is not the program's status, whatever it was.
run_cleanup() {
	local status=$?

	[[ -z $QEMU_PID ]] || kill -KILL "$QEMU_PID" 2>/dev/null || true
	[[ -z $TTY_STATE ]] || stty "$TTY_STATE" 2>/dev/null || true
	[[ ${#STREAMS[@]} -eq 0 ]] || kill "${STREAMS[@]}" 2>/dev/null || true
	[[ -z $RUN ]] || rm -rf -- "$RUN"
	if [[ -z $JUDGED && $status -lt 124 ]]; then die "the lab itself failed"; fi
}

# Directories of runs that were killed before they could tidy up.
run_sweep() {
	local old pid

	for old in "$LAB_CACHE"/run/*.*; do
		pid=${old##*/}
		[[ -d /proc/${pid%%.*} ]] || rm -rf -- "$old"
	done
}

run_dir() {
	mkdir -p "$LAB_CACHE/run"
	run_sweep
	RUN=$(mktemp -d "$LAB_CACHE/run/$$.XXXXXX")
	trap run_cleanup EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
}

shell_quote() { local word; for word; do printf "'%s' " "${word//\'/\'\\\'\'}"; done; }

# link_tree FROM TO: a copy that shares the files where the file system lets it.
link_tree() { cp -aLl "$1" "$2" 2>/dev/null || { rm -rf -- "$2" && cp -aL "$1" "$2"; }; }

stage_files() {
	local spec guest

	for spec in "${OPT_FILES[@]}"; do
		guest=${spec##*:}
		[[ $spec == *:* && -e ${spec%:*} && $guest == /* ]] || die "--file wants HOST:/GUEST, HOST existing: $spec"
		mkdir -p "$(dirname "$1/files/$guest")"
		cp -aT -- "${spec%:*}" "$1/files/$guest"
	done
}

stage_lio() {
	local lio=$1/lio data

	mkdir -p "$lio/lib" "$lio/share"
	cp -p "$LAB_DIR/guest/start-dbus" "$lio/lib"
	if [[ -d $REPO/build/user/bin ]]; then link_tree "$REPO/build/user/bin" "$lio/bin"; fi
	for data in conformance bench; do
		if [[ -d $REPO/tests/$data ]]; then link_tree "$REPO/tests/$data" "$lio/share/$data"; fi
	done
}

stage_program() {
	local lab=$1/lab size

	mkdir "$lab"
	cp -p "$LAB_DIR/guest/init" "$lab"
	cp "$2/expected" "$lab/expected"
	printf '#!/bin/busybox sh\nexec /usr/bin/env -- %s\n' "$(shell_quote "${PROGRAM[@]}")" >"$lab/program"
	chmod 755 "$lab/init" "$lab/program"
	size=$([[ $MODE != terminal ]] || stty size)
	cat >"$lab/settings" <<-SETTINGS
		LAB_MODE=$MODE LAB_KERNEL=$OPT_KERNEL LAB_OURS=$OPT_OURS LAB_ICOUNT=$OPT_ICOUNT
		LAB_ROWS=${size% *} LAB_COLS=${size#* }
		LAB_DISKS='$(disk_names scratch keep)' LAB_KEEP='$(disk_names keep)'
	SETTINGS
}

# Scratch disks of a size go with the run ("scratchN"), files stay ("keepN").
disk_name() { [[ -e $2 ]] && echo "keep$1" || echo "scratch$1"; }

disk_names() {
	local n name kind

	for n in "${!OPT_DISKS[@]}"; do
		name=$(disk_name "$n" "${OPT_DISKS[n]}")
		for kind; do
			[[ $name != "$kind"* ]] || printf '%s ' "$name"
		done
	done
}

run_disks() {
	local n name disk

	for n in "${!OPT_DISKS[@]}"; do
		disk=${OPT_DISKS[n]}
		name=$(disk_name "$n" "$disk")
		if [[ $name == keep* ]]; then
			qemu_disk "$name" "$(readlink -f "$disk")" cache=writeback,discard=unmap
		else
			truncate -s "$disk" "$RUN/$name" || die "--disk wants a size or an existing file: $disk"
			qemu_disk "$name" "$RUN/$name" cache=unsafe,discard=unmap
		fi
	done
}

run_prepare() {
	local kernel modules release image initrd stage=$RUN/stage

	release=$(kernel_release "$OPT_KERNEL")
	kernel=$(kernel_dir "$OPT_KERNEL")
	image=$(image_file)
	OPT_KODIR=${OPT_KODIR:-$REPO/build/ko-$release}
	modules=$(modules_dir "$OPT_KERNEL" "$OPT_KODIR" "$OPT_OURS")
	initrd=$(initrd_file "$release" "$kernel")
	cp "$modules/expected" "$RUN/expected"
	mkdir "$stage"
	link_tree "$modules/modules" "$stage/modules"
	stage_lio "$stage"
	stage_program "$stage" "$modules"
	stage_files "$stage"
	make_ext4 "$stage" "$RUN/in.ext4" 1
	rm -rf -- "$stage"
	mkfifo "$RUN/ctl.in" "$RUN/ctl.out"
	qemu_machine
	qemu_kernel "$kernel" "$initrd"
	qemu_ports "$RUN"
	qemu_disk root "$image" snapshot=on,cache=unsafe
	qemu_disk modules "$kernel/modules.ext4" readonly=on,cache=unsafe
	qemu_disk in "$RUN/in.ext4" readonly=on,cache=unsafe
	run_disks
	QEMU+=("${OPT_QEMU[@]}")
}

run_start() {
	local stream

	touch "$RUN"/{stdout,stderr,console.log,dmesg.log}
	if [[ $MODE == terminal ]]; then TTY_STATE=$(stty -g); fi
	exec {CTL}<>"$RUN/ctl.out" {ORDER}<>"$RUN/ctl.in"
	# QEMU goes with this shell, however that ends.
	TMPDIR=$RUN setpriv --pdeathsig KILL qemu-system-x86_64 "${QEMU[@]}" <&0 2>"$RUN/qemu.log" &
	QEMU_PID=$!
	[[ $MODE != terminal ]] || return 0
	for stream in 1:stdout 2:stderr; do
		tail -c +1 -f -s 0.1 --pid="$QEMU_PID" "$RUN/${stream#*:}" >&"${stream%:*}" &
		STREAMS+=($!)
	done
}

kernel_oops() { grep -qE "$OOPS" "$RUN/console.log" "$RUN/dmesg.log"; }

# STATE is boot, running, late (told that time is up), ended (STATUS is the program's) or died.
STATE=boot STATUS='' DEADLINE=0 LOOKED=0 OOPSED=''

run_event() {
	case $1 in
	start)
		STATE=running
		echo start >"$RUN/started"
		DEADLINE=$((SECONDS + OPT_TIMEOUT))
		;;
	module\ *) echo "${1#module }" >>"$RUN/loaded" ;;
	dumped) DEADLINE=0 ;;
	exit\ *)
		STATUS=${1#exit }
		STATE=ended
		;;
	esac
}

run_look() {
	if [[ -z $OOPSED ]] && ((SECONDS >= LOOKED + 2)); then
		LOOKED=$SECONDS
		if kernel_oops; then
			OOPSED=1
			DEADLINE=$((SECONDS + OOPS_GRACE < DEADLINE ? SECONDS + OOPS_GRACE : DEADLINE))
		fi
	fi
	((SECONDS >= DEADLINE)) || return 0
	if [[ $STATE == late ]]; then return 1; fi
	say "time is up (${STATE})"
	STATE=late
	echo timeout >&"$ORDER"
	DEADLINE=$((SECONDS + 15))
}

run_watch() {
	# On a busy host time can be up in the middle of a line, which then goes on.
	local line part=

	DEADLINE=$((SECONDS + BOOT_LIMIT))
	while [[ $STATE != ended && $STATE != died ]]; do
		if read -rt 0.5 -u "$CTL" line; then
			run_event "$part$line"
			part=
		elif part+=$line && ! kill -0 "$QEMU_PID" 2>/dev/null; then
			# Its last words may have come since.
			while read -rt 1 -u "$CTL" line; do run_event "$part$line"; part=; done
			[[ $STATE == ended ]] || STATE=died
		fi
		run_look || break
	done
}

# The guest has a moment to end by itself, then it is ended.
run_end() {
	local tries=0 line limit=1

	[[ $STATE != ended ]] || limit=50
	while kill -0 "$QEMU_PID" 2>/dev/null && ((tries++ < limit)); do
		read -rt 0.1 -u "$CTL" line || true
	done
	kill -KILL "$QEMU_PID" 2>/dev/null || true
	wait "$QEMU_PID" 2>/dev/null || true
	QEMU_PID=''
	[[ ${#STREAMS[@]} -eq 0 ]] || wait "${STREAMS[@]}" 2>/dev/null || true
	STREAMS=()
	[[ -z $TTY_STATE ]] || stty "$TTY_STATE"
	TTY_STATE=''
}

run_collect() {
	[[ -n $OPT_OUT ]] || return 0
	mkdir -p "$OPT_OUT"
	rm -rf -- "${OPT_OUT:?}/gcov"
	[[ ! -s $RUN/out.tar ]] || tar -C "$OPT_OUT" --no-same-owner -xf "$RUN/out.tar" || say "/out did not arrive whole"
	cp "$RUN"/{console,dmesg}.log "$OPT_OUT"
	# Counts mean something with the compiler's notes of the same build only.
	if [[ -d $OPT_OUT/gcov ]]; then
		(cd "$OPT_KODIR" && find . -name '*.gcno' -print0 | tar --null -T - -c) | tar -C "$OPT_OUT/gcov" -x
	fi
}

# The console from the first complaint on, or its end. What did not reach it may be in the kernel's buffer.
show_console() {
	local log=$RUN/console.log first

	cat "$RUN/qemu.log" >&2
	if ! grep -qE "$OOPS" "$log" && grep -qE "$OOPS" "$RUN/dmesg.log"; then log=$RUN/dmesg.log; fi
	first=$(grep -nE -m 1 "$OOPS" "$log" | cut -d: -f1) || true
	say "the guest's console${first:+ from its first complaint on}:"
	if [[ -n $first ]]; then
		sed -n "$first,$((first + 79))p" "$log" # to its end: a closed pipe would end the lab
	else
		tail -n 60 "$log"
	fi | tr -d '\r' >&2
}

run_verdict() {
	local wrong

	if kernel_oops; then
		show_console
		die "the kernel complained: failure, whatever the program says${STATUS:+ (it ended with $STATUS)}"
	fi
	case $STATE in
	ended) ;;
	late)
		show_console
		say "the guest $([[ -s $RUN/started ]] && echo "did not end within $OPT_TIMEOUT s" || echo "did not boot")"
		exit 124
		;;
	*)
		show_console
		die "the guest ended before the program did"
		;;
	esac
	touch "$RUN/loaded"
	wrong=$(modules_judge "$RUN/expected" "$RUN/loaded")
	[[ -z $wrong ]] || die "wrong modules were loaded: $wrong"
	JUDGED=1
	case $STATUS in 124 | 125) say "$STATUS is the program's own status" ;; esac
	exit "$STATUS"
}

lab_run() {
	local how=$1
	shift

	run_options "$@"
	host_ready
	run_dir
	run_mode "$how"
	run_prepare
	run_start
	run_watch
	run_end
	run_collect
	run_verdict
}

lab_prepare() {
	local kernel

	host_ready
	for kernel in "${@:-6.12}"; do
		kernel_name "$kernel" >/dev/null
		headers_kdir "$kernel" >/dev/null
		kernel_dir "$kernel" >/dev/null
	done
	image_file >/dev/null
	cache_trim headers 6
	cache_trim kernels 6
	cache_trim images 2
}
