/* SPDX-License-Identifier: GPL-2.0 */
/* Read sides only: nobody sleeps in one. */
#ifndef SHIM_LINUX_RCUPDATE_H
#define SHIM_LINUX_RCUPDATE_H

#ifdef __cplusplus
extern "C" {
#endif

void rcu_read_lock(void);
void rcu_read_unlock(void);

#ifdef __cplusplus
}
#endif

#endif /* SHIM_LINUX_RCUPDATE_H */
