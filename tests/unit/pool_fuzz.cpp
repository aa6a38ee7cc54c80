// SPDX-License-Identifier: GPL-2.0
// user/pool.c against its model: each input is a pool's life, with allocations that fail.
#include <cstddef>

#include "fuzz_input.hpp"
#include "pool_model.hpp"
#include "shim.h"

namespace {

using namespace lio::unit;
using fuzz::Input;

class Life {
	Input in_;
	tcmu_pool pool_{};
	PoolModel model_;
	struct Taken {
		tcmu_chain chain = empty_chain;
		Indexes indexes;
	};
	std::vector<Taken> taken_;

	using Operation = void (Life::*)();
	static const Operation operations[];

public:
	explicit Life(Input in) : in_(in), model_(read_limit(in_))
	{
		shim_assert(!tcmu_pool_init(&pool_, model_.limit));
	}
	~Life() { tcmu_pool_destroy(&pool_); }

	void live()
	{
		while (!in_.empty()) {
			(this->*operations[in_.byte() % 8])();
			shim_assert(pool_.nr_ready == model_.ready.size());
			shim_assert(pool_.fresh == model_.fresh);
		}
		shim_fail_after = -1;
		all_are_where_they_belong();
	}

private:
	static u32 read_limit(Input &in)
	{
		u8 b = in.byte();
		return b & 1 ? b / 2 : b / 2 % 4 * TCMU_LINKS + b / 8 % 4;
	}

	/// Many at once, or no input ever comes to the second array of links.
	u32 read_count()
	{
		u8 b = in_.byte();
		return b < 200 ? b % 16 : (b - 199) * 16u;
	}

	void draw()
	{
		Taken t;
		for (u32 n = read_count(); n; n--) {
			bool may_fail = shim_fail_after == 0 && model_.spare.empty();
			u32 index = tcmu_pool_draw(&pool_);
			if (index == TCMU_NONE && may_fail)
				break;
			shim_assert(index == model_.draw());
			if (index == TCMU_NONE)
				break;
			tcmu_pool_append(&pool_, &t.chain, index);
			t.indexes.push_back(index);
		}
		keep(std::move(t));
	}

	void take()
	{
		u32 n = read_count();
		Taken t;
		bool fits = n <= model_.ready.size();
		shim_assert(tcmu_pool_take(&pool_, n, &t.chain) == fits);
		if (fits)
			t.indexes = model_.take(n);
		keep(std::move(t));
	}

	void put()
	{
		Taken t = pick();
		tcmu_pool_put(&pool_, &t.chain);
		model_.put(t.indexes);
	}

	void retire()
	{
		Taken t = pick();
		tcmu_pool_retire(&pool_, &t.chain);
		model_.retire(t.indexes);
	}

	/// The indexes of one chain go to the end of another, one after the other.
	void join()
	{
		Taken to = pick(), from = pick();
		for (u32 index : from.indexes) {
			tcmu_pool_append(&pool_, &to.chain, index);
			to.indexes.push_back(index);
		}
		keep(std::move(to));
	}

	void fail_allocation() { shim_fail_after = in_.byte() % 4 - 1; }

	Taken pick()
	{
		if (taken_.empty())
			return {};
		std::swap(taken_[in_.byte() % taken_.size()], taken_.back());
		Taken t = std::move(taken_.back());
		taken_.pop_back();
		check(t);
		return t;
	}

	void keep(Taken t)
	{
		check(t);
		if (t.chain.count)
			taken_.push_back(std::move(t));
	}

	void check(const Taken &t) const
	{
		shim_assert(t.chain.count == t.indexes.size());
		shim_assert(t.chain.runs == count_runs(t.indexes));
		u32 index = t.chain.first;
		for (size_t i = 0; i < t.indexes.size(); i++) {
			shim_assert(index == t.indexes[i]);
			if (i + 1 < t.indexes.size())
				index = tcmu_pool_next(&pool_, index);
			else
				shim_assert(index == t.chain.last);
		}
	}

	/// Every index that was ever drawn is in one place.
	void all_are_where_they_belong()
	{
		std::vector<bool> seen(model_.fresh);
		auto see = [&](const Indexes &v) {
			for (u32 i : v) {
				shim_assert(i < seen.size() && !seen[i]);
				seen[i] = true;
			}
		};
		see(model_.ready);
		see(model_.spare);
		size_t nr_taken = 0;
		for (const Taken &t : taken_) {
			check(t);
			see(t.indexes);
			nr_taken += t.indexes.size();
		}
		shim_assert(model_.ready.size() + model_.spare.size() + nr_taken == seen.size());
		Taken all;
		shim_assert(tcmu_pool_take(&pool_, u32(model_.ready.size()), &all.chain));
		all.indexes = model_.take(u32(model_.ready.size()));
		check(all);
	}
};

const Life::Operation Life::operations[] = {
	&Life::draw, &Life::draw, &Life::take, &Life::take, &Life::put, &Life::retire, &Life::join, &Life::fail_allocation,
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	long allocs = shim_nr_allocs;
	{
		Life life(Input(data, size));
		life.live();
	}
	shim_assert(shim_nr_allocs == allocs);
	return 0;
}
