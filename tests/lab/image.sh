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

# Done in the image once, so that no boot has to.
image_finish() {
	local tree=$1

	rm -rf -- "$tree"/var/cache/apt/* "$tree"/var/lib/apt/lists/* "$tree"/var/log/*
	mkdir -p "$tree"/lab/in "$tree"/out "$tree"/lib/modules "$tree"/etc/rtslib-fb-target/pr "$tree"/mnt "$tree"/run
	chroot "$tree" dbus-uuidgen --ensure=/etc/machine-id
	echo lio-guest >"$tree/etc/hostname"
	printf '127.0.0.1 localhost lio-guest\n::1 localhost\n' >"$tree/etc/hosts"
	ln -sfn /lab/in/lio "$tree/opt/lio"
	ln -sfn /proc/self/mounts "$tree/etc/mtab"
	find "$tree/usr/lib/python3" -name __pycache__ -prune -o -name '*.py' -newermt '2100-01-01' -print
}

image_build() {
	local tmp=$1 tree=$1/tree packages exclude

	packages=$(package_list "$LAB_DIR/guest-packages" | paste -sd,)
	mapfile -t exclude < <(image_exclude)
	apt_acquire >"$tmp/acquire.conf"
	say "building the guest image (a few minutes, once)"
	mmdebstrap --quiet --mode=root --variant=essential --include="$packages" "${exclude[@]}" \
		--aptopt="$tmp/acquire.conf" --aptopt='APT::Install-Recommends "false"' \
		bookworm "$tree" - <"$APT_DIR/sources.list" >&2 || die "mmdebstrap failed"
	image_finish "$tree"
	make_ext4 "$tree" "$tmp/root.ext4" 1024
	rm -rf -- "$tree" "$tmp/acquire.conf"
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
