# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Which modules a run takes from build/ko-RELEASE/ and which from the distribution, and the proof afterwards:
# modules are known by their build id, which (unlike srcversion) every module has.

# modules_built KODIR: our modules, one path a line. Those below tests/ replace nothing and are always there.
modules_built() { find "$1" -name '*.ko' -type f 2>/dev/null | sort; }

module_named() { local name=${1##*/}; name=${name%.ko}; echo "${name//-/_}"; }

# modules_chosen KODIR all|none|LIST
modules_chosen() {
	local dir=$1 choice=,$2, file name found=,

	while read -r file; do
		[[ -n $file ]] || continue
		name=$(module_named "$file")
		case $file,$choice in
		"$dir"/tests/*) echo "$file" ;;
		*,,all,) echo "$file" ;;
		*,"$name",*) echo "$file" ;;
		*) continue ;;
		esac
		found+=$name,
	done < <(modules_built "$dir")
	modules_missing "$choice" "$found" "$dir"
}

modules_missing() {
	local name missing=

	if [[ $1 == ,all, ]]; then
		[[ $2 != , ]] || die "no modules in $3 (make modules; or --ours none)"
	elif [[ $1 != ,none, ]]; then
		for name in ${1//,/ }; do
			[[ $2 == *",$name,"* ]] || missing+=" $name"
		done
		[[ -z $missing ]] || die "not built in $3:$missing"
	fi
}

build_id() { readelf -n "$1" | sed -n 's/.*Build ID: //p' | head -n 1; }

# What the guest must find when it looks: NAME BUILD-ID ours|stock, for all of drivers/target and all of ours.
modules_expected() {
	local tree=$1 file id

	for file in "$tree"/updates/*.ko $(find "$tree/kernel/drivers/target" -name '*.ko'); do
		[[ -f $file ]] || continue
		id=$(build_id "$file")
		[[ -n $id ]] || die "$file has no build id"
		echo "$(module_named "$file") $id $([[ $file == "$tree"/updates/* ]] && echo ours || echo stock)"
	done | awk '!seen[$1]++'
}

# modules_stage RELEASE MODULES FILE... TMP DIR: updates/ and the indexes over it and the distribution's modules.
modules_stage() {
	local release=$1 stock=$2 args=("${@:3}") n=$(($# - 2)) tmp tree

	tmp=${args[n - 2]}
	tree=$tmp/root/lib/modules/$release
	mkdir -p "$tree"
	cp -al "$stock/." "$tree"
	mkdir "$tree/updates"
	for ((n -= 3; n >= 0; n--)); do
		# As the distribution's are: reading a dozen megabytes of DWARF takes an emulated machine seconds.
		strip --strip-debug -o "$tree/updates/${args[n]##*/}" "${args[n]}"
	done
	rm -f "$tree"/modules.*.bin "$tree"/modules.{dep,alias,symbols,softdep,devname,weakdep}
	echo 'search updates built-in' >"$tmp/depmod.conf"
	depmod -C "$tmp/depmod.conf" -b "$tmp/root" "$release"
	modules_expected "$tree" >"$tmp/expected"
	mkdir "$tmp/modules"
	mv "$tree/updates" "$tree"/modules.* "$tmp/modules"
	rm -rf -- "$tmp/root" "$tmp/depmod.conf"
}

# modules_dir KERNEL KODIR CHOICE: prints the entry: modules/ (updates, indexes) and the file "expected".
modules_dir() {
	local kernel=$1 kodir=$2 choice=$3 release stock dir chosen files=()

	release=$(kernel_release "$kernel")
	stock=$(kernel_dir "$kernel")
	chosen=$(modules_chosen "$kodir" "$choice")
	[[ -z $chosen ]] || mapfile -t files <<<"$chosen"
	dir=$LAB_CACHE/modules/$(key "$stock" "$(file_sum "$LAB_DIR/modules.sh" "${files[@]}")" "${files[@]#"$kodir"}")
	cache_make "$dir" modules_stage "$release" "$stock/modules" "${files[@]}"
	touch "$dir"
	cache_trim modules 40
	echo "$dir"
}

# modules_judge EXPECTED LOADED: LOADED has a line NAME BUILD-ID for every module that was loaded at the end.
modules_judge() {
	awk 'NR == FNR { id[$1] = $2; from[$1] = $3; next }
		($1 in id) && id[$1] != $2 { print $1 " is not " (from[$1] == "ours" ? "ours" : "the distribution'"'"'s") }' \
		"$1" "$2"
}
