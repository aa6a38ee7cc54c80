/* SPDX-License-Identifier: GPL-2.0 */
/* Wait queues: who waits longer than shim.cpp allows has found a hang. */
#ifndef SHIM_LINUX_WAIT_H
#define SHIM_LINUX_WAIT_H

#include <pthread.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	unsigned long nr_wakes;
} wait_queue_head_t;

void init_waitqueue_head(wait_queue_head_t *queue);
void wake_up(wait_queue_head_t *queue);
unsigned long shim_nr_wakes(wait_queue_head_t *queue);
/* Waits for a wake-up after the @seen-th. */
void shim_wait(wait_queue_head_t *queue, unsigned long seen);

#define wait_event(queue, cond) \
	do { \
		unsigned long seen_ = shim_nr_wakes(&(queue)); \
		if (cond) \
			break; \
		shim_wait(&(queue), seen_); \
	} while (1)

#ifdef __cplusplus
}
#endif

#endif /* SHIM_LINUX_WAIT_H */
