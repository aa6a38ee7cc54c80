# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Debian packages: what the host needs, and a private apt (own lists, own cache, Debian's archive only) that
# fetches kernels and resolves versions without touching the host's package state.

APT_DIR=$LAB_CACHE/apt
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

package_list() { sed 's/#.*//' "$1" | tr -s ' \t' '\n' | sed '/^$/d'; }

# Commands stand for the packages: asking dpkg at each run would be slow.
host_ready() {
	local command

	for command in qemu-system-x86_64 mmdebstrap mke2fs cpio depmod busybox readelf setpriv flock xz zstd; do
		if ! command -v "$command" >/dev/null; then
			setup_host
			return
		fi
	done
}

host_missing() {
	local installed

	installed=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' | sed -n 's/ installed$//p')
	package_list "$LAB_DIR/host-packages" | grep -Fxv -f <(echo "$installed") || true
}

# Installs what is missing, after printing it; someone who is not root learns what to install.
setup_host() {
	local missing

	missing=$(host_missing)
	[[ -n $missing ]] || return 0
	say "packages the host lacks:"
	# shellcheck disable=SC2086
	printf '  %s\n' $missing >&2
	if [[ $(id -u) -ne 0 ]]; then
		die "install them as root:  apt-get install --no-install-recommends $(tr '\n' ' ' <<<"$missing")"
	fi
	# shellcheck disable=SC2086
	if ! apt-cache show $missing >/dev/null 2>&1; then
		apt-get update -q >&2 || die "apt-get update failed"
	fi
	# shellcheck disable=SC2086
	DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $missing >&2 ||
		die "apt-get install failed"
}

# mirror RELEASE FALLBACK: where the host gets that part of Debian from. Only entries that look like Debian's
# own archive count; their signatures are checked against Debian's keyring in any case.
mirror() {
	local uri

	# shellcheck disable=SC2016
	uri=$(apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
		awk -v r="$1" '$1 == r && $2 == "main" && $3 ~ /debian(-security)?\/?$/ { print $3; exit }')
	echo "${uri:-$2}"
}

apt_sources() {
	local main security opts="[signed-by=$KEYRING]"

	main=$(mirror bookworm http://deb.debian.org/debian)
	security=$(mirror bookworm-security http://deb.debian.org/debian-security)
	echo "deb $opts $main bookworm main"
	echo "deb $opts $main bookworm-updates main"
	echo "deb $opts $security bookworm-security main"
}

# The host's way to the archive (proxies, clock checks) holds here too; nothing else of its configuration does.
apt_acquire() {
	apt-config dump | grep -E '^Acquire::(https?|Retries|Check-Valid-Until|Check-Date)\b' || true
}

apt_config() {
	cat <<-CONF
		Dir::Etc::Parts "/dev/null";
		Dir::Etc::Main "/dev/null";
		Dir::Etc::SourceParts "/dev/null";
		Dir::Etc::SourceList "$1/sources.list";
		Dir::State "$1/state";
		Dir::State::status "$1/state/status";
		Dir::Cache "$1/cache";
		APT::Sandbox::User "root";
		Acquire::Languages "none";
	CONF
	apt_acquire
}

# Makes the private apt and reads the archive's lists. Callers hold the lock.
apt_update() {
	mkdir -p "$APT_DIR"/state/lists/partial "$APT_DIR"/cache/archives/partial
	: >"$APT_DIR/state/status"
	apt_sources >"$APT_DIR/sources.list"
	apt_config "$APT_DIR" >"$APT_DIR/apt.conf"
	say "reading Debian's package lists"
	APT_CONFIG=$APT_DIR/apt.conf apt-get -q update >&2 || return
	rm -rf -- "$APT_DIR/answers"
	date +%s.%N >"$APT_DIR/stamp"
}

apt_locked() {
	local lock status=0

	mkdir -p "$LAB_CACHE"
	exec {lock}>"$LAB_CACHE/apt.lock"
	flock "$lock"
	"$@" || status=$?
	exec {lock}>&-
	return "$status"
}

# Lists get too old to fetch by: the archive drops what a newer version replaces.
APT_DAYS=7

apt_is_fresh() {
	local stamp=0

	[[ ! -s $APT_DIR/stamp ]] || stamp=$(<"$APT_DIR/stamp")
	((EPOCHSECONDS - ${stamp%.*} < APT_DAYS * 86400))
}

apt_if_old() { apt_is_fresh || apt_update; }

apt_ready() {
	apt_is_fresh || apt_locked apt_if_old && return
	[[ -s $APT_DIR/stamp ]] || die "cannot read Debian's package lists"
	say "the package lists are older than $APT_DAYS days"
}

apt_refresh() { apt_locked apt_update || die "cannot read Debian's package lists"; }

# remembered NAME COMMAND...: the output of a query, kept as long as the package lists stay as they are.
remembered() {
	local file answer

	apt_ready
	file=$APT_DIR/answers/$(<"$APT_DIR/stamp")/$1
	shift
	if [[ ! -s $file ]]; then
		mkdir -p "$(dirname "$file")"
		answer=$("$@")
		[[ -n $answer ]] || die "Debian's package lists do not answer: $*"
		echo "$answer" >"$file.$$"
		mv "$file.$$" "$file"
	fi
	cat "$file"
}

# apt_field PACKAGE FIELD: of the newest version.
apt_field() {
	APT_CONFIG=$APT_DIR/apt.conf apt-cache show --no-all-versions "$1" | sed -n "s/^$2: //p" | head -n 1
}

apt_depends() { apt_field "$1" Depends | sed 's/[,|]/\n/g' | sed 's/^ *//; s/ .*//'; }

apt_versions() {
	local package version

	for package; do
		version=$(apt_field "$package" Version)
		[[ -n $version ]] || die "Debian has no package $package"
		echo "$package=$version"
	done
}

apt_fetch() {
	local dir=$1
	shift
	(cd "$dir" && APT_CONFIG=$APT_DIR/apt.conf apt-get -q download "$@") >&2
}

# apt_unpack DIR PACKAGE=VERSION...: fetches and unpacks, never installs.
apt_unpack() {
	local dir=$1 debs deb
	shift

	debs=$(mktemp -d)
	apt_fetch "$debs" "$@" || die "cannot fetch $* (is a newer version out? run: lab refresh)"
	for deb in "$debs"/*.deb; do
		dpkg-deb -x "$deb" "$dir"
	done
	rm -rf -- "$debs"
}
