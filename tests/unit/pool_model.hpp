// SPDX-License-Identifier: GPL-2.0
// What user/pool.c must do: a stack of ready indexes, one of retired ones.
#pragma once

#include <vector>

extern "C" {
#include "pool.h"
}

namespace lio::unit {

using Indexes = std::vector<u32>;

inline constexpr tcmu_chain empty_chain = {TCMU_NONE, TCMU_NONE, 0, 0};

inline u32 count_runs(const Indexes &v)
{
	u32 runs = 0;
	for (size_t i = 0; i < v.size(); i++)
		runs += i == 0 || v[i] != v[i - 1] + 1;
	return runs;
}

/// What the pool must do, with everything spelled out.
class PoolModel {
public:
	u32 limit;
	u32 fresh = 0;
	Indexes ready; // back() is taken first
	Indexes spare; // back() is drawn first

	explicit PoolModel(u32 limit) : limit(limit) {}

	u32 draw()
	{
		if (!spare.empty()) {
			u32 index = spare.back();
			spare.pop_back();
			return index;
		}
		return fresh < limit ? fresh++ : TCMU_NONE;
	}

	Indexes take(u32 n)
	{
		Indexes v(ready.rbegin(), ready.rbegin() + n);
		ready.resize(ready.size() - n);
		return v;
	}

	void put(const Indexes &v) { ready.insert(ready.end(), v.rbegin(), v.rend()); }
	void retire(const Indexes &v) { spare.insert(spare.end(), v.rbegin(), v.rend()); }
};

} // namespace lio::unit
