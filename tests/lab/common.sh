# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Messages, hashes and the cache: every entry is a directory named by the hash of what it was made from.

say() { printf 'lab: %s\n' "$*" >&2; }

# The lab's own failures share the status of a broken guest: the program did not run as asked.
die() {
	say "$@"
	exit 125
}

# key WORD...: a short name for everything the words say.
key() {
	local sum

	sum=$(printf '%s\n' "$@" | sha256sum)
	echo "${sum:0:16}"
}

file_sum() { cat -- "$@" | sha256sum | cut -c1-16; }

# cache_make DIR FUNCTION ARG...: makes the entry DIR once, whoever asks first. FUNCTION is called with ARG...
# TMP DIR and fills TMP, which is renamed to DIR: an entry is whole or it is not there.
# Not to be called in a condition, where the shell ignores errors.
cache_make() {
	local dir=$1 lock tmp
	shift

	[[ -d $dir ]] && return 0
	mkdir -p "$(dirname "$dir")"
	exec {lock}>"$dir.lock"
	flock "$lock"
	if [[ ! -d $dir ]]; then
		tmp=$dir.tmp
		rm -rf -- "$tmp"
		mkdir "$tmp"
		"$@" "$tmp" "$dir"
		mv -T -- "$tmp" "$dir"
	fi
	exec {lock}>&-
}

# cache_trim KIND NUMBER: keeps the most recently used entries of a kind that changes with every build.
cache_trim() {
	local old

	find "$LAB_CACHE/$1" -mindepth 1 -maxdepth 1 -type d ! -name '*.tmp' -printf '%T@ %p\n' |
		sort -rn | tail -n "+$(($2 + 1))" | cut -d' ' -f2- |
		while read -r old; do rm -rf -- "$old" "$old.lock"; done
}
