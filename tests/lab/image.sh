# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The guest's root file system, one for all kernels.

# make_ext4 TREE FILE SPARE_MB: a file system for throw-away use: no journal, no checksums, owned by root.
make_ext4() {
	local tree=$1 file=$2 spare=$3 kib inodes

	kib=$(du -sk --apparent-size "$tree" | cut -f1)
	inodes=$(find "$tree" | wc -l)
	truncate -s "$((kib + kib / 8 + inodes * 2 + spare * 1024 + 4096))K" "$file"
	mke2fs -q -F -t ext4 -b 4096 -m 0 -N $((inodes + 4096)) -O '^has_journal,^metadata_csum,^resize_inode' \
		-E root_owner=0:0,lazy_itable_init=1,nodiscard -d "$tree" "$file" || die "cannot make $file"
}

image_exclude() {
	printf -- '--dpkgopt=path-exclude=%s\n' '/usr/share/doc/*' '/usr/share/man/*' '/usr/share/locale/*' \
		'/usr/share/info/*' '/usr/share/lintian/*' '/usr/share/gcc/*' '/usr/share/gdb/auto-load/*'
}

# Done in the image once, so that no boot has to. mmdebstrap runs it with the tree's path as $1.
# shellcheck disable=SC2016
IMAGE_FINISH='set -e
rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/* "$1"/var/log/*
mkdir -p "$1"/lab/in "$1"/out "$1"/lib/modules "$1"/etc/rtslib-fb-target/pr "$1"/mnt "$1"/run
echo lio-guest >"$1/etc/hostname"
printf "127.0.0.1 localhost lio-guest\n::1 localhost\n" >"$1/etc/hosts"
echo InitiatorName=iqn.1993-08.org.debian:01:lio-guest >"$1/etc/iscsi/initiatorname.iscsi"
ln -sfn /lab/in/lio "$1/opt/lio"
ln -sfn /proc/self/mounts "$1/etc/mtab"'

# Files belong to many users: someone who is not root becomes root of a user namespace (/etc/subuid, uidmap).
as_owner() {
	if [[ $(id -u) -eq 0 ]]; then
		"$@"
	else
		unshare --map-root-user --map-auto -- "$@"
	fi
}

image_unpack() {
	local tmp=$1 tree=$1/tree

	mkdir "$tree"
	tar -C "$tree" -xf "$tmp/root.tar" --exclude='./dev/*'
	# mmdebstrap empties it; D-Bus does not start without.
	printf '%032d\n' 1 >"$tree/etc/machine-id"
	make_ext4 "$tree" "$tmp/root.ext4" 1024
	rm -rf -- "$tree"
}

image_build() {
	local tmp=$1 packages exclude

	packages=$(package_list "$LAB_DIR/guest-packages" | paste -sd,)
	mapfile -t exclude < <(image_exclude)
	apt_acquire >"$tmp/acquire.conf"
	say "building the guest image (a minute, once)"
	mmdebstrap --quiet --variant=essential --include="$packages" "${exclude[@]}" \
		--aptopt="$tmp/acquire.conf" --aptopt='APT::Install-Recommends "false"' \
		--customize-hook="$IMAGE_FINISH" --format=tar \
		bookworm "$tmp/root.tar" - <"$APT_DIR/sources.list" >&2 || die "mmdebstrap failed"
	as_owner "$LAB_DIR/lab" unpack-image "$tmp"
	rm -f -- "$tmp/root.tar" "$tmp/acquire.conf"
}

image_versions() {
	# shellcheck disable=SC2046
	apt_versions $(package_list "$LAB_DIR/guest-packages")
}

image_file() {
	local versions dir list

	list=$(file_sum "$LAB_DIR/guest-packages")
	versions=$(remembered "image-$list" image_versions)
	dir=$LAB_CACHE/images/$(key "$versions" "$(file_sum "$LAB_DIR/image.sh")")
	cache_make "$dir" image_build
	echo "$dir/root.ext4"
}
