/* SPDX-License-Identifier: GPL-2.0 */
/* Spinlocks and mutexes: pthread's, with an owner to assert on. See shim.h about tasks. */
#ifndef SHIM_LINUX_SPINLOCK_H
#define SHIM_LINUX_SPINLOCK_H

#include <pthread.h>

#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct shim_lock {
	pthread_mutex_t mutex;
	const void *owner;
};

typedef struct shim_lock spinlock_t;

struct mutex {
	struct shim_lock lock;
};

void shim_lock_init(struct shim_lock *lock);
bool shim_lock_is_mine(struct shim_lock *lock);
void spin_lock(spinlock_t *lock);
void spin_unlock(spinlock_t *lock);
/* Lets go of the lock for a moment. */
int cond_resched_lock(spinlock_t *lock);
void mutex_lock(struct mutex *mutex);
void mutex_unlock(struct mutex *mutex);

#define spin_lock_init(lock)	shim_lock_init(lock)
#define mutex_init(mutex)	shim_lock_init(&(mutex)->lock)

#ifndef __cplusplus
/* Both kinds, as in the kernel: the first member of a mutex is its lock. */
#define lockdep_assert_held(p)	shim_assert(shim_lock_is_mine((struct shim_lock *)(p)))

static inline struct mutex *shim_guard_mutex(struct mutex *mutex)
{
	mutex_lock(mutex);
	return mutex;
}

static inline void shim_unguard_mutex(struct mutex **mutex)
{
	mutex_unlock(*mutex);
}

static inline spinlock_t *shim_guard_spinlock(spinlock_t *lock)
{
	spin_lock(lock);
	return lock;
}

static inline void shim_unguard_spinlock(spinlock_t **lock)
{
	spin_unlock(*lock);
}

typedef struct mutex *shim_guarded_mutex;
typedef spinlock_t *shim_guarded_spinlock;

#define SHIM_PASTE_(a, b)	a##b
#define SHIM_PASTE(a, b)	SHIM_PASTE_(a, b)
#define guard(kind) \
	__attribute__((unused, cleanup(shim_unguard_##kind))) \
	shim_guarded_##kind SHIM_PASTE(shim_guard_at_, __LINE__) = shim_guard_##kind
#endif

#ifdef __cplusplus
}
#endif

#endif /* SHIM_LINUX_SPINLOCK_H */
