# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Who uses the loaded modules of the set: configfs objects, other modules, open references.

# What in the tree of the target belongs to a module (below /sys/kernel/config/target).
declare -A CONFIGFS_OF=(
	[target_core_user]='core/user_*/*'
	[target_core_file]='core/fileio_*/*'
	[target_core_iblock]='core/iblock_*/*'
	[target_core_pscsi]='core/pscsi_*/*'
	[tcm_loop]='loopback/*'
)

# Directories that a module holds itself by, with nothing configured in them.
declare -A CONFIGFS_EMPTY=(
	[target_core_user]='core/user_*'
	[target_core_file]='core/fileio_*'
	[target_core_iblock]='core/iblock_*'
	[target_core_pscsi]='core/pscsi_*'
	[tcm_loop]='loopback'
)

loaded() { [[ -e $SYSFS/module/$1/initstate ]]; }

# configfs_objects MODULE: the configured objects (hba_info and the like are files, discovery_auth is the core's).
configfs_objects() {
	local object

	[[ -n ${CONFIGFS_OF[$1]:-} ]] || return 0
	# shellcheck disable=SC2231
	for object in "$SYSFS"/kernel/config/target/${CONFIGFS_OF[$1]}; do
		[[ ! -d $object || $object == */discovery_auth ]] || echo "$object"
	done
}

# Empty containers come and go by themselves; they are references that nobody needs.
empty_containers() {
	local dir

	# shellcheck disable=SC2231
	for dir in "$SYSFS"/kernel/config/target/${CONFIGFS_EMPTY[$1]:-}; do
		[[ ! -d $dir ]] || echo "$dir"
	done
}

# holders_of MODULE: one line for each user.
holders_of() {
	local module=$1 object holder count spare

	while read -r object; do
		[[ -z $object ]] || echo "configfs: $object"
	done < <(configfs_objects "$module")
	for holder in "$SYSFS/module/$module/holders"/*; do
		echo "module: ${holder##*/}"
	done
	count=$(<"$SYSFS/module/$module/refcnt")
	spare=$(empty_containers "$module" | wc -l)
	[[ $count -le $spare ]] || echo "reference count: $count"
}

# Prints who holds what; status 1 when there is anybody.
report_holders() {
	local module holders in_use=0

	for module in "${MODULES[@]}"; do
		loaded "$module" || continue
		holders=$(holders_of "$module")
		if [[ -n $holders ]]; then
			in_use=1
			printf '%s is in use:\n' "$module"
			printf '  %s\n' "${holders//$'\n'/$'\n  '}"
		fi
	done
	return $in_use
}

# A chroot, or a machine that runs another kernel, shows modules that are not the ones to be replaced.
refuse_while_in_use() {
	[[ -d /lib/modules/$RUNNING ]] || return 0
	report_holders >&2 || die "save the configuration (targetctl save), clear it (targetctl clear), stop what" \
		"holds the modules and try again; see Documentation/install.md"
}

# So that the next modprobe gets the modules that are installed now.
unload_idle() {
	local module dir

	[[ -d /lib/modules/$RUNNING ]] || return 0
	for module in "${MODULES[@]}"; do
		loaded "$module" || continue
		while read -r dir; do
			[[ -z $dir ]] || rmdir -- "$dir"
		done < <(empty_containers "$module")
		rmmod "$module" || die "$module has come into use meanwhile"
		say "unloaded $module; modprobe now takes the other one"
	done
}
