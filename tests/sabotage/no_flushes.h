/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Force-included into a test build of the backstores (sabotage-flushes): what
 * makes writes permanent is acknowledged and not done.
 */
#ifndef LIO_SABOTAGE_NO_FLUSHES_H
#define LIO_SABOTAGE_NO_FLUSHES_H

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/fs.h>

#define vfs_fsync_range(file, start, end, datasync) \
	((void)(file), (void)(start), (void)(end), (void)(datasync), 0)
#define blkdev_issue_flush(bdev)	((void)(bdev), 0)

#undef IOCB_DSYNC
#define IOCB_DSYNC	0

static inline void sabotaged_submit_bio(struct bio *bio)
{
	if (op_is_flush(bio->bi_opf) && !bio_sectors(bio)) {
		bio_endio(bio);
		return;
	}
	bio->bi_opf &= ~(REQ_PREFLUSH | REQ_FUA);
	submit_bio(bio);
}

static inline int sabotaged_submit_bio_wait(struct bio *bio)
{
	bio->bi_opf &= ~(REQ_PREFLUSH | REQ_FUA);
	return submit_bio_wait(bio);
}

#define submit_bio(bio)		sabotaged_submit_bio(bio)
#define submit_bio_wait(bio)	sabotaged_submit_bio_wait(bio)

#endif /* LIO_SABOTAGE_NO_FLUSHES_H */
