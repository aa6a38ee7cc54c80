# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Kernel headers, unpacked into the cache: installing them would install the kernel itself on the host.

headers_packages() {
	local package

	package=$(apt_depends "${1/linux-image/linux-headers}" | grep -m 1 '^linux-headers-')
	# shellcheck disable=SC2046
	apt_versions "$package" $(apt_depends "$package" | grep -E '^linux-(headers-.*-common|kbuild)')
}

# Absolute paths of the installed place are rewritten; links must end inside the unpacked tree.
headers_build() {
	local tmp=$1 dir=$2 file stray
	shift 2

	apt_unpack "$tmp" "$@"
	grep -rIlE '/usr/(src/linux-headers|lib/linux-kbuild)' "$tmp/usr/src" --include=Makefile --include='.kernelvariables' |
		while read -r file; do
			sed -i -E "s#(^|[^.[:alnum:]])/usr/(src/linux-headers|lib/linux-kbuild)#\\1$dir/usr/\\2#g" "$file"
		done
	find "$tmp" -type l -lname '/usr/*' -printf '%p %l\n' | while read -r file stray; do
		ln -sfn "$dir$stray" "$file"
	done
	stray=$(find "$tmp/usr/src" -xtype l ! -lname "$dir/*" | head -n 3)
	[[ -z $stray ]] || die "links of the headers lead nowhere: $stray"
}

headers_make() {
	local args=("$@") n=$#

	headers_build "${args[n - 2]}" "${args[n - 1]}" "${args[@]:0:n-2}"
}

headers_kdir() {
	local packages dir

	if is_debug_kernel "$1"; then
		dir=$(kernel_dir "$1")
		echo "$dir/tree"
		return
	fi
	packages=$(remembered "headers-$1" headers_packages "$(kernel_meta "$1")")
	dir=$LAB_CACHE/headers/$(key "$packages" "$(file_sum "$LAB_DIR/headers.sh")")
	if [[ ! -d $dir ]]; then
		say "fetching the headers of kernel $1"
		# shellcheck disable=SC2086
		cache_make "$dir" headers_make $packages
	fi
	echo "$dir/usr/src/$(head -n 1 <<<"$packages" | cut -d= -f1)"
}
