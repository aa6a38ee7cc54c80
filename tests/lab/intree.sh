# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Our modules built inside the sanitizer kernel's tree, where they stand in for the kernel's own in drivers/target.
# The tree is the one thing in the cache that changes: our files go into it for each build, under a lock, by
# content, so that make sees just what differs.

# Folders and files of drivers/target that ours replace.
INTREE_OURS=(user loopback)
INTREE_MODULES=(target_core_mod target_core_iblock target_core_file target_core_pscsi user/target_core_user loopback/tcm_loop)
# What only tests load, in a folder of its own; neither counted nor replacing anything.
INTREE_TESTS=tests/guest/ko
INTREE_TEST_MODULES=("$INTREE_TESTS/tcm_test")
# What their lines in the kernel's Makefile and Kconfig are about. Its sources of the core stay, unused.
INTREE_CONFIGS='TARGET_CORE|TCM_IBLOCK|TCM_FILEIO|TCM_PSCSI|TCM_USER2|LOOPBACK_TARGET'

# A file is replaced only when its content is another: make goes by time stamps.
put_file() {
	cmp -s -- "$1" "$2" || { mkdir -p "$(dirname "$2")"; cp -- "$1" "$2.tmp.$$"; mv -- "$2.tmp.$$" "$2"; }
}

# put_tree FROM TO: sources only; what FROM lacks goes, what was built stays.
put_tree() {
	local from=$1 to=$2 file

	while read -r file; do
		put_file "$from/$file" "$to/$file"
	done < <(cd "$from" && find . -type f ! -name '*.o' ! -name '*.ko' -printf '%P\n')
	while read -r file; do
		[[ -e $from/$file ]] || rm -f -- "$to/$file"
	done < <(cd "$to" && find . -type f \( -name '*.[ch]' ! -name '*.mod.c' -o -name Makefile -o -name Kbuild -o -name Kconfig \) -printf '%P\n')
}

# The parts of the kernel's own Kconfig and Makefile that are about what is not ours yet. The menu is the kernel's.
intree_kconfig() {
	awk -v ours="^(${INTREE_CONFIGS})$" '/^config / { skip = ($2 ~ ours) } /^(source|endif|menu|if)/ { skip = 0 }
		!skip && !/target\/loopback\/Kconfig/' "$1"
}

intree_makefile() {
	sed -e ':a' -e '/\\$/N; s/\\\n//; ta' "$1" | grep -vE "CONFIG_($INTREE_CONFIGS)\)|^target_core_mod-"
}

# in our folders: warnings are errors; what is executed is counted; addresses have lines
INTREE_FLAGS='
# added by the lab
ccflags-y += -Werror -g
GCOV_PROFILE := y
KCOV_INSTRUMENT := y'

# intree_stage SOURCES TARGET STAGE: drivers/target as it should be: the kernel's with ours in its place.
intree_stage() {
	local sources=$1 target=$2 stage=$3 part

	cp -a "$target" "$stage"
	for part in "${INTREE_OURS[@]}"; do
		rm -rf -- "${stage:?}/$part"
		cp -a "$sources/$part" "$stage/$part"
		echo "$INTREE_FLAGS" >>"$stage/$part/Makefile"
	done
	if [[ -d $sources/$INTREE_TESTS ]]; then
		mkdir -p "$stage/${INTREE_TESTS%/*}"
		cp -a "$sources/$INTREE_TESTS" "$stage/$INTREE_TESTS"
		echo 'ccflags-y += -Werror -g' >>"$stage/$INTREE_TESTS/Makefile"
	fi
	cp -a "$sources"/*.c "$sources/include" "$sources/abi" "$stage"
	{ intree_kconfig "$target/Kconfig"; sed '1,/^$/d' "$sources/Kconfig"; } >"$stage/Kconfig"
	{ cat "$sources/Kbuild"; echo "$INTREE_FLAGS"; intree_makefile "$target/Makefile"; } >"$stage/Kbuild"
	rm -f -- "$stage/Makefile"
}

# intree_build KERNEL SOURCES OUT: the modules of the sources, built inside the kernel's tree, with what gcov needs.
intree_build() {
	local kernel=$1 sources=$2 out=$3 dir tree lock stage targets modules=("${INTREE_MODULES[@]}")

	if [[ -d $sources/$INTREE_TESTS ]]; then modules+=("${INTREE_TEST_MODULES[@]}"); fi
	dir=$(kernel_dir "$kernel")
	tree=$dir/tree
	exec {lock}>"$dir.build.lock"
	flock "$lock"
	stage=$(mktemp -d)
	intree_stage "$sources" "$dir/target" "$stage/target"
	put_tree "$stage/target" "$tree/drivers/target"
	rm -f -- "$tree/drivers/target/Makefile"
	rm -rf -- "$stage"
	mkdir -p "$out"
	targets=("${modules[@]/#/drivers/target/}")
	# Single modules do not know the symbols of the others: loading them will tell.
	debug_make "$tree" "$out/build.log" LIO_TESTS=m KBUILD_MODPOST_WARN=1 W=1e C=2 CF=-Wsparse-error "${targets[@]/%/.ko}"
	find "$out" \( -name '*.ko' -o -name '*.gcno' \) -delete
	(cd "$tree/drivers/target" && find . -name '*.gcno' -print0 | tar -c --null -T - "${modules[@]/%/.ko}") |
		tar -x -C "$out"
	exec {lock}>&-
}
