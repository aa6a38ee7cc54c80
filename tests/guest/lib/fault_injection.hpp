// SPDX-License-Identifier: GPL-2.0
// Makes the n-th allocation below a module's code fail, in whatever context it is made, and tells
// where that was. Needs a kernel with FAILSLAB, FAIL_PAGE_ALLOC, their stack trace filter and kprobes.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "fault_trace.hpp"
#include "file.hpp"
#include "result.hpp"

namespace lio::test {

enum class FaultKind { slab, page };
const char *fault_kind_name(FaultKind kind);

struct CodeRange {
	uint64_t start = 0, end = 0;
};
/// A function of the kernel itself.
Result<CodeRange> kernel_function(const std::string &name);

/// Which allocations count: those with a frame between @start and @end among the innermost @depth.
struct FaultTarget {
	uint64_t start = 0, end = 0;
	unsigned depth = 32;
	/// Not what is called by that code; else not what kmemleak does: the kernel excludes one range.
	CodeRange spared{};
	bool this_thread = false; ///< count the calling thread's only
};

/// What came of an armed stretch.
struct FaultShot {
	bool fired = false;
	std::vector<Frame> stack; ///< of the allocation that failed
	/// Code that was made executable meanwhile by this thread: a module that was loaded.
	std::vector<std::pair<uint64_t, uint64_t>> text; ///< address, bytes
};

/**
 * The kernel's fault attributes count matching allocations up and fail those whose number is a
 * multiple of `interval`. The count cannot be read, but it is known: 0 after boot, and at a
 * failure equal to the interval. An interval of count + n so fails exactly the n-th. When nothing
 * failed, allocations of this thread are added until the same interval does.
 */
class FaultInjector {
	struct Attr {
		std::string dir;
		uint64_t count = 0;
	};
	std::array<Attr, 2> attrs_;
	Fd make_it_fail_;
	CodeRange kmemleak_;
	uint64_t modules_start_ = 0;
	FaultKind armed_ = FaultKind::slab;
	uint64_t interval_ = 0;
	bool this_thread_ = false;

public:
	/// Fails if another user of the kernel's fault injection was there before.
	static Result<FaultInjector> create();
	FaultInjector(FaultInjector &&) = default;
	~FaultInjector();

	/// Where modules are loaded.
	FaultTarget module_area() const { return {modules_start_, 0xffffffffff000000, 32, {}, true}; }
	/// From now on the @nth counted allocation fails, once; with 0 none does.
	Status arm(FaultKind kind, const FaultTarget &target, uint64_t nth);
	/// No more; afterwards the count is known again.
	Result<FaultShot> disarm();

private:
	FaultInjector() = default;
	Attr &attr(FaultKind kind) { return attrs_[size_t(kind)]; }
	Status set(FaultKind kind, const char *name, uint64_t value);
	Status prepare_tracing();
	Status prepare_attr(FaultKind kind);
	Status find_addresses();
	/// Fails an allocation of this thread's, counted after all those that were not its.
	Status calibrate(FaultKind kind);
	void set_make_it_fail(bool on) const;
};

} // namespace lio::test
