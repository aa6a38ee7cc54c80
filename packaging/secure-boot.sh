# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Will the kernel load what DKMS has built? Under Secure Boot only if the key it signed with is enrolled.

MOK_CERTIFICATE=/var/lib/dkms/mok.pub

secure_boot() {
	local variable=$SYSFS/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c

	# Four bytes of attributes, then the value.
	[[ -e $variable && $(od -An -tu1 -j 4 -N 1 "$variable" | tr -d ' ') == 1 ]]
}

signatures_enforced() {
	local file=$SYSFS/module/module/parameters/sig_enforce

	[[ -e $file && $(<"$file") == Y ]]
}

# mokutil tells in words, its status is 1 for "enrolled".
key_enrolled() {
	command -v mokutil >/dev/null || return 1
	{ mokutil --test-key "$MOK_CERTIFICATE" || true; } 2>/dev/null | grep -q 'is already enrolled'
}

secure_boot_ready() {
	if ! secure_boot && ! signatures_enforced; then
		return 0
	fi
	say "this machine loads signed modules only (Secure Boot or module.sig_enforce)"
	if key_enrolled; then
		say "the key that DKMS signs with is enrolled"
		return 0
	fi
	say "the key that DKMS signs with, $MOK_CERTIFICATE, is not enrolled. Do this, then install again:"
	say "  apt-get install mokutil"
	say "  mokutil --import $MOK_CERTIFICATE     (it asks for a password of your choice)"
	say "  reboot, choose 'Enroll MOK' in the firmware's menu and give that password"
	die "modules that cannot be loaded would leave this machine without a target: not installed"
}
