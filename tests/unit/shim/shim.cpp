// SPDX-License-Identifier: GPL-2.0
// The kernel behind the shim's headers: memory, locks and waiting.
#include "shim.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>

extern "C" {
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
}

namespace {

/// Longer than any wait that ends, even under TSan on a busy machine.
constexpr time_t hang_seconds = 60;

thread_local int nr_spinlocks;
thread_local int nr_rcu_readers;
thread_local const void *task = &task;

void acquire(shim_lock *lock)
{
	if (shim_lock_is_mine(lock))
		shim_bug("a lock is taken twice", __FILE__, __LINE__);
	pthread_mutex_lock(&lock->mutex);
	__atomic_store_n(&lock->owner, task, __ATOMIC_RELAXED);
}

void release(shim_lock *lock)
{
	shim_assert(shim_lock_is_mine(lock));
	__atomic_store_n(&lock->owner, nullptr, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&lock->mutex);
}

bool is_held(shim_lock *lock)
{
	return __atomic_load_n(&lock->owner, __ATOMIC_RELAXED);
}

} // namespace

long shim_fail_after = -1;
long shim_nr_allocs;
void (*shim_switch)(bool blocked);
unsigned long shim_jiffies = 1000;

void shim_bug(const char *what, const char *file, int line)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

void *shim_alloc(size_t n, size_t size, bool zero)
{
	if (shim_fail_after >= 0 && shim_fail_after-- == 0)
		return nullptr;
	__atomic_fetch_add(&shim_nr_allocs, 1, __ATOMIC_RELAXED);
	// Nothing at all is something to the kernel's allocator, too.
	size_t bytes = std::max<size_t>(n * size, 1);
	return zero ? calloc(1, bytes) : malloc(bytes);
}

void shim_free(const void *p)
{
	if (!p)
		return;
	__atomic_fetch_sub(&shim_nr_allocs, 1, __ATOMIC_RELAXED);
	free(const_cast<void *>(p));
}

void shim_yield()
{
	if (shim_switch && !nr_spinlocks && !nr_rcu_readers)
		shim_switch(false);
}

int shim_nr_spinlocks()
{
	return nr_spinlocks;
}

void shim_set_task(const void *next)
{
	task = next;
}

void shim_lock_init(shim_lock *lock)
{
	pthread_mutex_init(&lock->mutex, nullptr);
	lock->owner = nullptr;
}

bool shim_lock_is_mine(shim_lock *lock)
{
	return __atomic_load_n(&lock->owner, __ATOMIC_RELAXED) == task;
}

void spin_lock(spinlock_t *lock)
{
	shim_yield();
	// Tasks of one thread switch only where they hold none.
	shim_assert(!shim_switch || !is_held(lock));
	acquire(lock);
	nr_spinlocks++;
}

void spin_unlock(spinlock_t *lock)
{
	release(lock);
	nr_spinlocks--;
}

int cond_resched_lock(spinlock_t *lock)
{
	spin_unlock(lock);
	spin_lock(lock);
	return 1;
}

void mutex_lock(struct mutex *mutex)
{
	shim_assert(!nr_spinlocks && !nr_rcu_readers);
	shim_yield();
	while (shim_switch && is_held(&mutex->lock) && !shim_lock_is_mine(&mutex->lock))
		shim_switch(true);
	acquire(&mutex->lock);
}

void mutex_unlock(struct mutex *mutex)
{
	release(&mutex->lock);
}

void rcu_read_lock()
{
	nr_rcu_readers++;
}

void rcu_read_unlock()
{
	nr_rcu_readers--;
}

void init_waitqueue_head(wait_queue_head_t *queue)
{
	pthread_mutex_init(&queue->mutex, nullptr);
	pthread_cond_init(&queue->cond, nullptr);
	queue->nr_wakes = 0;
}

void wake_up(wait_queue_head_t *queue)
{
	pthread_mutex_lock(&queue->mutex);
	queue->nr_wakes++;
	pthread_cond_broadcast(&queue->cond);
	pthread_mutex_unlock(&queue->mutex);
}

unsigned long shim_nr_wakes(wait_queue_head_t *queue)
{
	pthread_mutex_lock(&queue->mutex);
	unsigned long n = queue->nr_wakes;
	pthread_mutex_unlock(&queue->mutex);
	return n;
}

void shim_wait(wait_queue_head_t *queue, unsigned long seen)
{
	shim_assert(!nr_spinlocks && !nr_rcu_readers);
	while (shim_switch && shim_nr_wakes(queue) == seen)
		shim_switch(true);
	timespec end;
	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += hang_seconds;
	pthread_mutex_lock(&queue->mutex);
	while (queue->nr_wakes == seen)
		if (pthread_cond_timedwait(&queue->cond, &queue->mutex, &end) == ETIMEDOUT)
			shim_bug("somebody waits for ever", __FILE__, __LINE__);
	pthread_mutex_unlock(&queue->mutex);
}

page *alloc_page(int gfp)
{
	auto *page = static_cast<struct page *>(shim_kalloc(1, sizeof(struct page), gfp, true));
	if (page)
		page->refs = 1;
	return page;
}

void get_page(page *page)
{
	shim_assert(__atomic_fetch_add(&page->refs, 1, __ATOMIC_RELAXED) > 0);
}

void put_page(page *page)
{
	int refs = __atomic_sub_fetch(&page->refs, 1, __ATOMIC_ACQ_REL);
	shim_assert(refs >= 0);
	if (!refs)
		shim_free(page);
}
