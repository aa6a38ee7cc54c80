# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The initramfs and QEMU's command line.

# What the initramfs has to load before the root file system and the results' port are there.
BOOT_MODULES=(virtio_pci virtio_console virtio_blk ext4 configfs)

boot_modules() {
	local root=$1 release=$2 module

	for module in "${BOOT_MODULES[@]}"; do
		modprobe -d "$root" -S "$release" --show-depends "$module"
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

# initrd_build RELEASE MODULES TMP DIR
initrd_build() {
	local release=$1 modules=$2 tmp=$3 stage=$3/stage module list

	mkdir -p "$stage"/{bin,dev,proc,sys,root,modules} "$tmp/root/lib/modules"
	ln -s "$modules" "$tmp/root/lib/modules/$release"
	list=$(boot_modules "$tmp/root" "$release")
	: >"$stage/modules/order"
	for module in $list; do
		cp "$module" "$stage/modules"
		echo "${module##*/}" >>"$stage/modules/order"
	done
	cp /bin/busybox "$stage/bin"
	cp "$LAB_DIR/guest/initramfs" "$stage/init"
	chmod 755 "$stage/init"
	(cd "$stage" && find . | cpio --quiet -o -H newc -R 0:0) >"$tmp/initrd"
	rm -rf -- "$stage" "$tmp/root"
}

# initrd_file RELEASE KERNELDIR
initrd_file() {
	local dir

	dir=$LAB_CACHE/initrd/$(key "$2" "$(file_sum "$LAB_DIR/boot.sh" "$LAB_DIR/guest/initramfs" /bin/busybox)")
	cache_make "$dir" initrd_build "$1" "$2/modules"
	echo "$dir/initrd"
}

QEMU=()

qemu_machine() {
	local accel cpu

	if [[ -n $OPT_ICOUNT ]]; then
		accel=tcg,thread=single
		cpu=max,-rdrand,-rdseed,-erms,-fsrm
		QEMU+=(-icount "shift=0,sleep=off" -rtc "base=2026-01-01T00:00:00,clock=vm")
	else
		accel=tcg,thread=multi
		cpu=max
	fi
	QEMU+=(-accel "$accel" -cpu "$cpu" -smp "$OPT_SMP" -m "$OPT_MEM" -nodefaults -no-user-config -display none -no-reboot)
}

tsc_build() {
	g++ -std=c++20 -O2 -o "$1/tsc_khz" "$LAB_DIR/tsc_khz.cpp"
	"$1/tsc_khz" >"$1/khz"
}

# tsc_khz: the frequency of the guest's time stamp counter, which is the host's; empty on other hosts. Measured once a
# boot of the host: on a busy machine the guest's own calibration has been wrong by a factor of five.
tsc_khz() {
	local dir

	[[ $(uname -m) == x86_64 ]] || return 0
	dir=$LAB_CACHE/tsc/$(key "$(</proc/sys/kernel/random/boot_id)" "$(file_sum "$LAB_DIR/tsc_khz.cpp")")
	cache_make "$dir" tsc_build
	cat "$dir/khz"
}

qemu_kernel() {
	local panic=-1 args khz

	# PREEMPT_RT prints from a thread: the last words of a panic need time.
	[[ $OPT_KERNEL != *-rt ]] || panic=2
	args="quiet loglevel=5 panic=$panic tsc=reliable no_timer_check mitigations=off cryptomgr.notests"

	# QEMU's interrupt routing is a program in ACPI's language, which takes minutes with sanitizers; MSI needs none.
	if is_debug_kernel "$OPT_KERNEL"; then args+=" pci=noacpi page_poison=1"; fi
	if [[ -n $OPT_ICOUNT ]]; then
		args+=" sysctl.kernel.hung_task_timeout_secs=0"
	else
		khz=$(tsc_khz)
		args+=${khz:+ tsc_early_khz=$khz}
	fi
	args+=" net.ifnames=0 console=ttyS0 $OPT_APPEND"
	QEMU+=(-kernel "$1/vmlinux" -initrd "$2" -append "$args")
}

# qemu_disk NAME FILE DRIVE-OPTIONS: found by its serial number in the guest.
qemu_disk() {
	QEMU+=(-drive "if=none,id=$1,format=raw,file=${2//,/,,},$3" -device "virtio-blk-pci,drive=$1,serial=$1")
}

# qemu_port NAME CHARDEV-OPTIONS
qemu_port() {
	QEMU+=(-chardev "$2,id=$1" -device "virtserialport,chardev=$1,name=lab.$1")
}

# Ports write to regular files: those never block, so what the guest wrote is on the host when it says it is done.
qemu_ports() {
	local run=$1

	QEMU+=(-chardev "file,id=console,path=$run/console.log" -serial chardev:console -device virtio-serial-pci)
	qemu_port ctl "pipe,path=$run/ctl"
	qemu_port out "file,path=$run/out.tar"
	qemu_port dmesg "file,path=$run/dmesg.log"
	if [[ $MODE == terminal ]]; then
		QEMU+=(-chardev "stdio,id=terminal,signal=off" -device "virtconsole,chardev=terminal")
	else
		qemu_port stdout "file,path=$run/stdout"
		[[ -n $MERGED ]] || qemu_port stderr "file,path=$run/stderr"
	fi
}
