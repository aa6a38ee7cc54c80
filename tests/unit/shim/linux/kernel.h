/* SPDX-License-Identifier: GPL-2.0 */
/* Arithmetic, single accesses to shared memory, bit operations, printk and time. */
#ifndef SHIM_LINUX_KERNEL_H
#define SHIM_LINUX_KERNEL_H

#include <linux/errno.h>
#include <linux/types.h>

#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))
#define ARRAY_SIZE(array)	((int)(sizeof(array) / sizeof((array)[0])))
#define BIT(n)			(1UL << (n))
#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))

#ifndef __cplusplus
#define min(a, b) ({ __typeof__(a) a_ = (a); __typeof__(b) b_ = (b); a_ < b_ ? a_ : b_; })
#define max(a, b) ({ __typeof__(a) a_ = (a); __typeof__(b) b_ = (b); a_ > b_ ? a_ : b_; })
#define min_t(type, a, b)	min((type)(a), (type)(b))
#define max_t(type, a, b)	max((type)(a), (type)(b))
#define round_up(x, y)		((((x) - 1) | ((__typeof__(x))(y) - 1)) + 1)
#define struct_size(p, member, n) \
	(sizeof(*(p)) + (size_t)(n) * sizeof((p)->member[0]))
#endif

/*
 * Atomic, so that TSan sees an intended race for what it is. The pointer forgets
 * that a member of a packed structure need not be aligned: those here are.
 */
#define unlikely(x)		__builtin_expect(!!(x), 0)
#define READ_ONCE(x) \
	({ \
		const __typeof__(x) *once_ = &(x); \
		__atomic_load_n(once_, __ATOMIC_RELAXED); \
	})
#define WRITE_ONCE(x, v)	__atomic_store_n(&(x), v, __ATOMIC_RELAXED)
#define smp_load_acquire(p)	__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define smp_store_release(p, v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)
/* Only behind an atomic read-modify-write here, all of which are SEQ_CST. */
#define smp_mb__after_atomic()	do { } while (0)

static inline bool test_bit(int bit, const unsigned long *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST) >> bit & 1;
}

static inline bool test_and_set_bit(int bit, unsigned long *word)
{
	return __atomic_fetch_or(word, 1UL << bit, __ATOMIC_SEQ_CST) >> bit & 1;
}

static inline void set_bit(int bit, unsigned long *word)
{
	__atomic_fetch_or(word, 1UL << bit, __ATOMIC_SEQ_CST);
}

static inline void clear_bit(int bit, unsigned long *word)
{
	__atomic_fetch_and(word, ~(1UL << bit), __ATOMIC_SEQ_CST);
}

#define clear_bit_unlock	clear_bit

static inline int hex_to_bin(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

__attribute__((format(printf, 1, 2))) static inline void shim_no_printk(const char *fmt, ...)
{
	(void)fmt;
}

#define pr_warn_ratelimited	shim_no_printk
#define cond_resched()		shim_yield()

#define HZ			250
#define MSEC_PER_SEC		1000U
#define MAX_JIFFY_OFFSET	((unsigned long)((LONG_MAX >> 1) - 1))
#define time_after(a, b)	((long)((b) - (a)) < 0)
#define time_before(a, b)	time_after(b, a)

#ifdef __cplusplus
extern "C"
#else
extern
#endif
unsigned long shim_jiffies;
#define jiffies			READ_ONCE(shim_jiffies)

static inline unsigned long msecs_to_jiffies(unsigned int ms)
{
	return DIV_ROUND_UP((unsigned long)ms * HZ, MSEC_PER_SEC);
}

#endif /* SHIM_LINUX_KERNEL_H */
