/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SHIM_LINUX_UIO_DRIVER_H
#define SHIM_LINUX_UIO_DRIVER_H

struct uio_info {
	void *shim_owner;
};

#ifdef __cplusplus
extern "C"
#endif
/* The handler's poll() returns. The test defines it. */
void uio_event_notify(struct uio_info *info);

#endif /* SHIM_LINUX_UIO_DRIVER_H */
