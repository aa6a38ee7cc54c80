/* SPDX-License-Identifier: GPL-2.0 */
/*
 * /dev/tcm_test: an initiator's end of the fabric "tcmtest". A file has nexuses,
 * a nexus has commands, known by their tags; what becomes of them is read from
 * the file, in the order in which it happened.
 */
#ifndef TCM_TEST_UAPI_H
#define TCM_TEST_UAPI_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define TCMT_NAME_LEN	224
#define TCMT_CDB_LEN	264
#define TCMT_SENSE_LEN	96
#define TCMT_MAX_DATA	(16u << 20)

struct tcmt_nexus_add {
	char	wwn[TCMT_NAME_LEN];
	char	initiator[TCMT_NAME_LEN];
	__u64	isid;		/* the lower 48 bits count */
	__u32	tpgt;
	__u32	id;		/* set: the nexus, in this file */
};

enum tcmt_direction {
	TCMT_NO_DATA,
	TCMT_DATA_OUT,
	TCMT_DATA_IN,
};

/* What the fabric does with a command */
#define TCMT_HOLD_DATA		(1u << 0)	/* write data come with TCMT_RELEASE */
#define TCMT_HOLD_RESPONSE	(1u << 1)	/* the response goes out, and is acknowledged, with TCMT_RELEASE */
#define TCMT_DROP_RESPONSE	(1u << 2)	/* the response never arrives nor is acknowledged */
#define TCMT_HANG_RESPONSE	(1u << 3)	/* queue_data_in and queue_status do not return before TCMT_RELEASE */
#define TCMT_ACK		(1u << 4)	/* the fabric keeps a reference until the response is acknowledged */
#define TCMT_UNKNOWN_SIZE	(1u << 5)	/* the CDB says how long the data are */
#define TCMT_OWN_PAGES		(1u << 6)	/* the fabric brings the memory */

struct tcmt_submit {
	__u32	nexus;
	__u32	flags;
	__u64	tag;
	__u64	lun;
	__u64	data_out;	/* of length bytes */
	__u64	data_in;	/* filled when the response is read */
	__u32	length;		/* bytes that the initiator expects to transfer */
	__u32	data_full;	/* so many requests for data are refused first */
	__u32	response_full;	/* so many attempts to respond are refused first */
	__s32	full_errno;	/* -EAGAIN or -ENOMEM */
	__u8	direction;
	__u8	attribute;	/* TCM_SIMPLE_TAG and so on */
	__u8	pad[6];
	__u8	cdb[TCMT_CDB_LEN];
};

struct tcmt_tmf {
	__u32	nexus;
	__u32	function;	/* TMR_ABORT_TASK and so on */
	__u64	tag;
	__u64	lun;
	__u64	ref_tag;
};

enum tcmt_release_how {
	TCMT_GO,		/* data: here they are; response: sent and acknowledged */
	TCMT_FAIL,		/* data: they will not come */
};

struct tcmt_release {
	__u32	nexus;
	__u32	how;
	__u64	tag;
};

struct tcmt_state {
	__u32	nexus;
	__u32	transport_state;	/* set: se_cmd::transport_state, CMD_T_* */
	__u64	tag;
};

/* Of transport_state: a task management function has claimed the command. */
#define TCMT_CMD_ABORTED	(1u << 0)

enum tcmt_event_type {
	TCMT_DATA_WANTED,	/* the core has asked for the data, which are held */
	TCMT_RESPONSE_HELD,	/* held, or hanging */
	TCMT_RESPONSE,
	TCMT_TMF_RESPONSE,	/* status is TMR_FUNCTION_COMPLETE and so on */
	TCMT_RELEASED,		/* the core has nothing to do with the command any more */
	TCMT_NEXUS_GONE,
	TCMT_EVENT_TYPES,
};

#define TCMT_OVERFLOW		(1u << 0)
#define TCMT_UNDERFLOW		(1u << 1)
#define TCMT_ABORTED		(1u << 2)	/* RELEASED: the core has called aborted_task */
#define TCMT_BY_CORE		(1u << 3)	/* NEXUS_GONE: the core has called close_session */
#define TCMT_IRQS_OFF		(1u << 4)	/* and with interrupts off */

struct tcmt_event {
	__u64	tag;
	__u32	nexus;
	__u32	residual;
	__u32	data_len;	/* bytes of data-in */
	__u8	type;
	__u8	status;
	__u8	flags;
	__u8	sense_len;
	__u8	sense[TCMT_SENSE_LEN];
};

#define TCMT_NEXUS_ADD	_IOWR('T', 0x60, struct tcmt_nexus_add)
/* The id. Its commands end first: held ones are given up. */
#define TCMT_NEXUS_DEL	_IO('T', 0x61)
#define TCMT_SUBMIT	_IOW('T', 0x62, struct tcmt_submit)
#define TCMT_TMF	_IOW('T', 0x63, struct tcmt_tmf)
#define TCMT_RELEASE	_IOW('T', 0x64, struct tcmt_release)
/* Of a command that has not been released, else ESRCH. */
#define TCMT_STATE	_IOWR('T', 0x65, struct tcmt_state)

#endif /* TCM_TEST_UAPI_H */
