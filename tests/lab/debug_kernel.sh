# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The sanitizer kernel: Debian's kernel source with the options of debug.config.
#
# Its cache entry has, beside what every kernel has, the source tree with its objects ("tree") and the
# distribution's drivers/target as it came ("target"), for intree.sh.

is_debug_kernel() { [[ $1 == *-debug ]]; }

debug_release() { local version=${1#*=}; echo "${version%%-*}-lio-debug"; }

# debug_config TREE: tinyconfig and our options on it; each must come out as it was asked for.
debug_config() {
	local tree=$1 line missing=

	make -s -C "$tree" tinyconfig
	grep -E '^(CONFIG_|# CONFIG_)' "$LAB_DIR/debug.config" >>"$tree/.config"
	make -s -C "$tree" olddefconfig 2>/dev/null
	while read -r line; do
		grep -qxF -- "$line" "$tree/.config" || missing+="$line; "
	done < <(grep -E '^(CONFIG_|# CONFIG_)' "$LAB_DIR/debug.config")
	[[ -z $missing ]] || die "debug.config: the kernel does not take: $missing"
}

# What no build of ours reads is left out; Kconfig and Makefiles are read from everywhere.
debug_unpack() {
	local source=$1 tree=$2 part exclude=()

	for part in drivers/{gpu,media,staging,net/ethernet,net/wireless} sound; do
		exclude+=("--exclude=*/$part/*.[chS]")
	done
	mkdir "$tree"
	tar -C "$tree" --strip-components=1 "${exclude[@]}" --exclude='*/Documentation/*.rst' --exclude='*/Documentation/*.yaml' -xf "$source"
}

# debug_make TREE LOG ARG...: the output is kept, and shown when it failed.
debug_make() {
	local tree=$1 log=$2
	shift 2

	if ! make -C "$tree" -j "$(nproc)" "$@" >"$log" 2>&1; then
		grep -E -m 20 'error:|Error [0-9]|warning:|undefined' "$log" >&2 || tail -n 30 "$log" >&2
		die "the kernel tree did not build (log: $log)"
	fi
}

# debug_build PACKAGE=VERSION TMP DIR
debug_build() {
	local package=$1 tmp=$2 dir=$3 release tree=$2/tree start=$SECONDS

	release=$(debug_release "$package")
	apt_unpack "$tmp/deb" "$package"
	say "unpacking ${package/=/ }"
	debug_unpack "$tmp"/deb/usr/src/linux-source-*.tar.* "$tree"
	rm -rf -- "$tmp/deb"
	cp -a "$tree/drivers/target" "$tmp/target"
	debug_config "$tree"
	say "building the sanitizer kernel $release (ten minutes, once)"
	debug_make "$tree" "$tmp/build.log" vmlinux modules
	[[ $(<"$tree/include/config/kernel.release") == "$release" ]] || die "the kernel calls itself otherwise than $release"
	make -s -C "$tree" INSTALL_MOD_PATH="$tmp/root" modules_install >>"$tmp/build.log" 2>&1
	rm -f -- "$tmp/root/lib/modules/$release"/{build,source}
	mv "$tmp/root/lib/modules/$release" "$tmp/modules"
	rm -rf -- "$tmp/root"
	cp "$tree/.config" "$tmp/config"
	cp "$tree/vmlinux" "$tmp/vmlinux"
	kernel_disk "$release" "$tmp"
	# objtool notes where it was built; the entry is about to get its name.
	find "$tree/tools" -name '.*.cmd' -exec sed -i "s#$tmp/#$dir/#g" {} +
	say "built $release in $((SECONDS - start)) s"
}
