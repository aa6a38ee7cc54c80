/* SPDX-License-Identifier: GPL-2.0 */
/* What a backstore calls in the target core; the test defines all of it. */
#ifndef SHIM_TARGET_CORE_BACKEND_H
#define SHIM_TARGET_CORE_BACKEND_H

#include <target/target_core_base.h>

#ifdef __cplusplus
extern "C" {
#endif

void target_complete_cmd(struct se_cmd *se_cmd, u8 status);
void target_complete_cmd_with_sense(struct se_cmd *se_cmd, u8 status, sense_reason_t reason);
void target_complete_cmd_with_length(struct se_cmd *se_cmd, u8 status, int length);
void transport_copy_sense_to_cmd(struct se_cmd *se_cmd, unsigned char *sense);

/* The core may do more to a CDB; what it executes is this. */
static inline sense_reason_t passthrough_parse_cdb(struct se_cmd *se_cmd,
						   sense_reason_t (*exec)(struct se_cmd *se_cmd))
{
	se_cmd->execute_cmd = exec;
	return TCM_NO_SENSE;
}

#ifdef __cplusplus
}
#endif

#endif /* SHIM_TARGET_CORE_BACKEND_H */
