# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Guest kernels: names, releases, the boot file and the module tree, out of Debian's packages.

declare -A KERNEL_META=(
	[6.12]=linux-image-6.12-amd64
	[6.1]=linux-image-amd64
	[6.12-rt]=linux-image-6.12-rt-amd64
	[6.1-rt]=linux-image-rt-amd64
	[6.12-debug]=linux-source-6.12
)

# Trees that nothing here uses; what is kept beside the target's own are the transports of its fabrics
# (libfc and FCoE, FireWire, iSCSI, RDMA, Chelsio).
KERNEL_DROP=(
	drivers/gpu drivers/media drivers/usb drivers/net/wireless drivers/bluetooth drivers/iio drivers/hid
	drivers/input drivers/staging drivers/hwmon drivers/video drivers/isdn drivers/platform drivers/comedi
	drivers/power drivers/i2c drivers/leds drivers/mfd drivers/rtc drivers/regulator drivers/atm drivers/accel
	drivers/net/can drivers/net/usb drivers/net/wwan drivers/net/phy drivers/net/dsa drivers/crypto
	drivers/nfc drivers/w1 drivers/thunderbolt drivers/pcmcia drivers/mmc drivers/gnss drivers/edac
	sound net/mac80211 net/wireless net/bluetooth net/nfc
)

kernel_names() { printf '%s\n' "${!KERNEL_META[@]}" | sort -V; }

kernel_name() {
	[[ -n ${KERNEL_META[$1]:-} ]] || die "no such kernel: $1 (there are: $(kernel_names | tr '\n' ' '))"
	echo "$1"
}

kernel_meta() { echo "${KERNEL_META[$1]}"; }

# An image's meta package depends on the image; a source is what it says.
kernel_package() {
	case $1 in
	linux-source-*) apt_versions "$1" ;;
	*) apt_versions "$(apt_depends "$1" | grep -m 1 -E '^linux-image-[0-9]')" ;;
	esac
}

# The real package behind a kernel's name, as NAME=VERSION.
kernel_resolve() { remembered "kernel-$1" kernel_package "$(kernel_meta "$1")"; }

kernel_release() {
	local package

	package=$(kernel_resolve "$1")
	if is_debug_kernel "$1"; then
		debug_release "$package"
		return
	fi
	package=${package%%=*}
	echo "${package#linux-image-}"
}

le32() { od -An -tu4 -j "$2" -N 4 "$1" | tr -d ' '; }

# vmlinuz to vmlinux: a direct boot of the ELF file saves decompressing it under emulation. Offsets are those of
# the x86 boot protocol (Documentation/arch/x86/boot.rst): setup_sects, payload_offset, payload_length.
kernel_extract() {
	local vmlinuz=$1 out=$2 sectors offset length unpack

	sectors=$(od -An -tu1 -j $((0x1f1)) -N 1 "$vmlinuz" | tr -d ' ')
	offset=$(($(le32 "$vmlinuz" $((0x248))) + (sectors + 1) * 512))
	length=$(le32 "$vmlinuz" $((0x24c)))
	for unpack in "xz -dc --single-stream" "zstd -dcq" "lz4 -dc" "gzip -dc"; do
		tail -c "+$((offset + 1))" "$vmlinuz" | head -c "$length" | $unpack >"$out" 2>/dev/null || true
		[[ $(head -c 4 "$out" | tail -c 3) != ELF ]] || return 0
	done
	die "cannot unpack the kernel out of $vmlinuz"
}

# Drops trees, unpacks the modules (the guest would do it at every load, slowly) and makes the indexes links:
# they depend on which modules a run replaces, so every run brings its own.
kernel_modules() {
	local release=$1 root=$2 tree=$2/lib/modules/$1 drop index

	for drop in "${KERNEL_DROP[@]}"; do
		rm -rf -- "${tree:?}/kernel/$drop"
	done
	find "$tree/drivers/net/ethernet" "$tree/kernel/drivers/net/ethernet" -mindepth 1 -maxdepth 1 \
		! -name chelsio -exec rm -rf {} + 2>/dev/null || true
	find "$tree" -name '*.ko.xz' -print0 | xargs -0 -r -n 50 -P "$(nproc)" xz -d
	find "$tree" -name '*.ko.zst' -print0 | xargs -0 -r -n 50 -P "$(nproc)" zstd -q -d --rm
	rm -f "$tree"/build "$tree"/source
	depmod -b "$root" "$release"
}

kernel_build() {
	local package=$1 tmp=$2 release=${1%%=*} root

	release=${release#linux-image-}
	root=$tmp/root
	mkdir "$root"
	apt_unpack "$root" "$package"
	[[ -d $root/lib/modules/$release ]] || die "$package has no modules for $release"
	say "unpacking kernel $release"
	kernel_extract "$root/boot/vmlinuz-$release" "$tmp/vmlinux"
	mv "$root/boot/vmlinuz-$release" "$tmp/vmlinuz"
	mv "$root/boot/config-$release" "$tmp/config"
	kernel_modules "$release" "$root"
	mv "$root/lib/modules/$release" "$tmp/modules"
	rm -rf -- "$root"
	kernel_disk "$release" "$tmp"
}

# The guest's disk of modules. updates/ and the indexes lead to the disk that a run brings (modules.sh).
kernel_disk() {
	local release=$1 tmp=$2 stage=$2/stage index

	mkdir "$stage"
	cp -al "$tmp/modules/." "$stage"
	for index in "$tmp"/modules/modules.*; do
		index=${index##*/}
		ln -sfn "/lab/in/modules/$index" "$stage/$index"
	done
	ln -s /lab/in/modules/updates "$stage/updates"
	make_ext4 "$stage" "$tmp/modules.ext4" 16
	rm -rf -- "$stage"
}

# Prints the cache entry of a kernel: vmlinux config modules/ modules.ext4, and of the sanitizer kernel its tree.
kernel_dir() {
	local package dir

	package=$(kernel_resolve "$1")
	if is_debug_kernel "$1"; then
		dir=$LAB_CACHE/kernels/$(key "$package" "$(file_sum "$LAB_DIR"/debug{_kernel.sh,.config})" "$(gcc --version | head -n 1)")
		cache_make "$dir" debug_build "$package"
		echo "$dir"
		return
	fi
	dir=$LAB_CACHE/kernels/$(key "$package" "$(file_sum "$LAB_DIR/kernel.sh")")
	[[ -d $dir ]] || say "fetching kernel $1 (${package/=/ })"
	cache_make "$dir" kernel_build "$package"
	echo "$dir"
}
