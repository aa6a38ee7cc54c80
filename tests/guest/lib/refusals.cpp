// SPDX-License-Identifier: GPL-2.0
#include "refusals.hpp"

#include "test_env.hpp"

namespace lio::test {

void expect_refusals_in_dmesg()
{
	static constexpr const char *patterns[] = {
		// The core tells of what it refuses.
		"^Rejecting (SCSI DATA |underflow/)?overflow for ",
		"^cmd exceeds last lba ",
		"^Got CDB: 0x[0-9a-f]+ with (DPO|FUA) bit set, ",
		"^(WRITE_SAME|WSNZ=1, WRITE_SAME|COMPARE_AND_WRITE) ",
		"^MODE SENSE: unimplemented page/subpage: ",
		"^Received PERSISTENT_RESERVE CDB while legacy SPC-2 reservation is held",
		"^VARIABLE_LENGTH_CMD service action 0x[0-9a-f]+ not supported$",
		"^TARGET_CORE\\[loopback\\]: (Expected Transfer Length: \\d+ does not match SCSI CDB |Unsupported SCSI Opcode )",
		"^Unsupported SA(: | for receive copy results: )",
		"^SPC-[23]?-?PR: |^SPC-[23] PR: |^PRIN SA |^Unknown PERSISTENT_RESERVE_IN service action: ",
		"^CDB contains protect bit, but device",
		"^(EXTENDED_COPY\\(LID[14]\\) not|XCOPY |target_xcopy_do_work: |Receive Copy Results with non zero list)",
		"^MODE_SENSE: Invalid subpage code: |^Receive Copy Results Op Parameters length too small: ",
		"^Unable to locate struct rd_dev_sg_table for page: \\d+$", // no blocks, from the medium's end on
		"^REPORT (TARGET PORT GROUPS|REFERRALS|LUNS) allocation length \\d+ too small",
		"^Unknown (ALUA access state: 0x|transport error for CDB 0x)[0-9a-f]+",
		"^LongIO and Obsolete Bits set, ",
		"^target_\\w+: \\d+ callbacks suppressed$",
		"^REQUEST_SENSE description emulation not supported$",
		"^INQUIRY with EVPD==0 but PAGE CODE=",
		"^Detected MISCOMPARE at offset \\d+$",
	};
	for (const char *pattern : patterns)
		expect_dmesg(pattern, Need::optional);
}

} // namespace lio::test
