// SPDX-License-Identifier: GPL-2.0
// user/pool.c against its model.
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "pool_model.hpp"
#include "seed.hpp"
#include "shim.h"

namespace {

using namespace lio::unit;
using lio::test::count;

class Pool : public testing::Test {
protected:
	tcmu_pool pool{};
	long allocs_before = shim_nr_allocs;

	void TearDown() override
	{
		tcmu_pool_destroy(&pool);
		EXPECT_EQ(pool.links, nullptr);
		EXPECT_EQ(shim_nr_allocs, allocs_before) << "the pool leaks";
	}

	Indexes list(const tcmu_chain &chain) const
	{
		Indexes v;
		u32 index = chain.first;
		for (u32 n = 0; n < chain.count; n++) {
			v.push_back(index);
			if (n + 1 < chain.count)
				index = tcmu_pool_next(&pool, index);
		}
		return v;
	}

	tcmu_chain draw(u32 n)
	{
		tcmu_chain chain = empty_chain;
		for (u32 i = 0; i < n; i++) {
			u32 index = tcmu_pool_draw(&pool);
			EXPECT_NE(index, TCMU_NONE);
			tcmu_pool_append(&pool, &chain, index);
		}
		return chain;
	}
};

TEST_F(Pool, DrawsEachIndexOnceUpToTheLimit)
{
	for (u32 limit : {0u, 1u, 2u, TCMU_LINKS - 1, TCMU_LINKS, TCMU_LINKS + 1, 3 * TCMU_LINKS, 65536u}) {
		pool = {};
		ASSERT_EQ(tcmu_pool_init(&pool, limit), 0);
		tcmu_chain all = draw(limit);
		Indexes indexes = list(all);
		EXPECT_EQ(all.count, limit);
		EXPECT_EQ(all.runs, limit ? 1u : 0u);
		for (u32 i = 0; i < limit; i++)
			ASSERT_EQ(indexes[i], i);
		EXPECT_EQ(tcmu_pool_draw(&pool), TCMU_NONE);
		EXPECT_EQ(tcmu_pool_draw(&pool), TCMU_NONE) << "and it stays so";
		tcmu_pool_destroy(&pool);
	}
}

TEST_F(Pool, TakesAllOrNothing)
{
	ASSERT_EQ(tcmu_pool_init(&pool, 100), 0);
	tcmu_chain chain = {1, 2, 3, 4};
	EXPECT_TRUE(tcmu_pool_take(&pool, 0, &chain));
	EXPECT_EQ(chain.count, 0u);
	EXPECT_EQ(chain.runs, 0u);
	EXPECT_EQ(chain.first, TCMU_NONE);
	EXPECT_FALSE(tcmu_pool_take(&pool, 1, &chain));
	EXPECT_EQ(chain.count, 0u);

	chain = draw(10);
	tcmu_pool_put(&pool, &chain);
	EXPECT_EQ(pool.nr_ready, 10u);
	EXPECT_FALSE(tcmu_pool_take(&pool, 11, &chain));
	EXPECT_EQ(pool.nr_ready, 10u) << "a failed take took something";
	EXPECT_TRUE(tcmu_pool_take(&pool, 10, &chain));
	EXPECT_EQ(pool.nr_ready, 0u);
	EXPECT_FALSE(tcmu_pool_take(&pool, 1, &chain));
}

TEST_F(Pool, PutAndTakePreserveRisingRuns)
{
	ASSERT_EQ(tcmu_pool_init(&pool, 4096), 0);
	tcmu_chain all = draw(64);
	tcmu_pool_put(&pool, &all);
	for (int round = 0; round < 100; round++) {
		tcmu_chain a, b;
		ASSERT_TRUE(tcmu_pool_take(&pool, 48, &a));
		ASSERT_TRUE(tcmu_pool_take(&pool, 16, &b));
		ASSERT_EQ(a.runs, 1u);
		ASSERT_EQ(b.runs, 1u);
		ASSERT_EQ(a.first, 0u);
		ASSERT_EQ(b.first, 48u);
		tcmu_pool_put(&pool, &b);
		tcmu_pool_put(&pool, &a);
	}
}

TEST_F(Pool, PutOfNothingChangesNothing)
{
	ASSERT_EQ(tcmu_pool_init(&pool, 8), 0);
	tcmu_chain chain = draw(3);
	tcmu_pool_put(&pool, &chain);
	tcmu_pool_put(&pool, &empty_chain);
	EXPECT_EQ(pool.nr_ready, 3u);
	EXPECT_TRUE(tcmu_pool_take(&pool, 3, &chain));
	EXPECT_EQ(list(chain), (Indexes{0, 1, 2}));
}

TEST_F(Pool, RetiredIndexesAreDrawnBeforeFreshOnes)
{
	ASSERT_EQ(tcmu_pool_init(&pool, 5), 0);
	for (u32 i = 0; i < 4; i++)
		ASSERT_EQ(tcmu_pool_draw(&pool), i);
	for (const Indexes &indexes : {Indexes{2, 0}, Indexes{}, Indexes{3, 1}}) {
		tcmu_chain chain = empty_chain;
		for (u32 i : indexes)
			tcmu_pool_append(&pool, &chain, i);
		tcmu_pool_retire(&pool, &chain);
	}
	for (u32 expected : {3u, 1u, 2u, 0u, 4u, TCMU_NONE})
		EXPECT_EQ(tcmu_pool_draw(&pool), expected);
}

TEST_F(Pool, AppendCountsRuns)
{
	ASSERT_EQ(tcmu_pool_init(&pool, 16), 0);
	draw(16);
	tcmu_chain chain = empty_chain;
	Indexes indexes = {4, 5, 6, 5 + 8, 0, 1, 3, 2, 7};
	for (u32 i : indexes)
		tcmu_pool_append(&pool, &chain, i);
	EXPECT_EQ(list(chain), indexes);
	EXPECT_EQ(chain.runs, 6u);
	EXPECT_EQ(chain.last, 7u);
	tcmu_pool_put(&pool, &chain);
	tcmu_chain taken;
	ASSERT_TRUE(tcmu_pool_take(&pool, 9, &taken));
	EXPECT_EQ(taken.runs, chain.runs) << "take and append count differently";
	EXPECT_EQ(taken.last, chain.last);
}

TEST_F(Pool, DestroyMayFollowNothing)
{
	tcmu_pool_destroy(&pool);
	ASSERT_EQ(tcmu_pool_init(&pool, 3000), 0);
	tcmu_pool_destroy(&pool);
	tcmu_pool_destroy(&pool);
}

TEST_F(Pool, SurvivesTheFailureOfEachAllocation)
{
	constexpr u32 limit = 3 * TCMU_LINKS;
	shim_fail_after = 0;
	EXPECT_EQ(tcmu_pool_init(&pool, limit), -ENOMEM);
	tcmu_pool_destroy(&pool);
	for (long nth = 0; nth < 3; nth++) {
		pool = {};
		ASSERT_EQ(tcmu_pool_init(&pool, limit), 0);
		shim_fail_after = nth;
		u32 drawn = 0, failed = 0;
		while (drawn < limit && failed < 2) {
			u32 index = tcmu_pool_draw(&pool);
			if (index == TCMU_NONE) {
				failed++;
				EXPECT_EQ(drawn, nth * TCMU_LINKS);
				continue;
			}
			ASSERT_EQ(index, drawn++);
		}
		EXPECT_EQ(failed, 1u) << "a failure is final, or did not happen";
		EXPECT_EQ(drawn, limit);
		tcmu_pool_destroy(&pool);
	}
	shim_fail_after = -1;
}

/// Random operations on a pool and on its model, compared after each.
class PoolWalk {
	tcmu_pool *pool_;
	PoolModel model_;
	std::mt19937_64 rng_;
	struct Taken {
		tcmu_chain chain;
		Indexes indexes;
	};
	std::vector<Taken> taken_;

public:
	PoolWalk(tcmu_pool *pool, u32 limit, std::mt19937_64 rng) : pool_(pool), model_(limit), rng_(std::move(rng)) {}

	void step()
	{
		switch (rng_() % 8) {
		case 0:
		case 1: grow(1 + rng_() % 9); break;
		case 2:
		case 3:
		case 4: take(rng_() % 12); break;
		case 5:
		case 6: put(); break;
		case 7: retire(); break;
		}
		ASSERT_EQ(pool_->nr_ready, model_.ready.size());
		ASSERT_EQ(pool_->fresh, model_.fresh);
	}

	/// Every index is in exactly one place.
	void audit()
	{
		std::multiset<u32> seen(model_.ready.begin(), model_.ready.end());
		seen.insert(model_.spare.begin(), model_.spare.end());
		for (const Taken &t : taken_)
			seen.insert(t.indexes.begin(), t.indexes.end());
		u32 expected = 0;
		for (u32 i : seen)
			ASSERT_EQ(i, expected++);
		ASSERT_EQ(expected, pool_->fresh);
		check(u32(model_.ready.size()));
	}

private:
	void grow(u32 n)
	{
		Taken t{empty_chain, {}};
		while (n--) {
			u32 index = tcmu_pool_draw(pool_);
			ASSERT_EQ(index, model_.draw());
			if (index == TCMU_NONE)
				break;
			tcmu_pool_append(pool_, &t.chain, index);
			t.indexes.push_back(index);
		}
		compare(t);
		if (rng_() % 4) {
			tcmu_pool_put(pool_, &t.chain);
			model_.put(t.indexes);
		} else {
			taken_.push_back(std::move(t));
		}
	}

	void take(u32 n)
	{
		bool fits = n <= model_.ready.size();
		Taken t;
		ASSERT_EQ(tcmu_pool_take(pool_, n, &t.chain), fits);
		if (fits)
			t.indexes = model_.take(n);
		compare(t);
		taken_.push_back(std::move(t));
	}

	/// All that is ready, in order, and back.
	void check(u32 n)
	{
		Taken t;
		ASSERT_TRUE(tcmu_pool_take(pool_, n, &t.chain));
		t.indexes = model_.take(n);
		compare(t);
		tcmu_pool_put(pool_, &t.chain);
		model_.put(t.indexes);
	}

	Taken pick()
	{
		size_t i = rng_() % taken_.size();
		Taken t = taken_[i];
		taken_[i] = taken_.back();
		taken_.pop_back();
		return t;
	}

	void put()
	{
		if (taken_.empty())
			return;
		Taken t = pick();
		compare(t);
		tcmu_pool_put(pool_, &t.chain);
		model_.put(t.indexes);
	}

	void retire()
	{
		if (taken_.empty())
			return;
		Taken t = pick();
		tcmu_pool_retire(pool_, &t.chain);
		model_.retire(t.indexes);
	}

	void compare(const Taken &t)
	{
		ASSERT_EQ(t.chain.count, t.indexes.size());
		ASSERT_EQ(t.chain.runs, count_runs(t.indexes));
		if (t.indexes.empty())
			return;
		ASSERT_EQ(t.chain.last, t.indexes.back());
		u32 index = t.chain.first;
		for (size_t i = 0; i < t.indexes.size(); i++) {
			ASSERT_EQ(index, t.indexes[i]);
			if (i + 1 < t.indexes.size())
				index = tcmu_pool_next(pool_, index);
		}
	}
};

TEST_F(Pool, DoesAsItsModel)
{
	auto rng = lio::test::rng("pool");
	for (u32 limit : {1u, 7u, 100u, TCMU_LINKS + 3}) {
		pool = {};
		ASSERT_EQ(tcmu_pool_init(&pool, limit), 0);
		PoolWalk walk(&pool, limit, std::mt19937_64(rng()));
		for (u64 i = 0, n = count(20000, 1000000); i < n; i++) {
			walk.step();
			if (i % 1000 == 0)
				walk.audit();
			if (HasFatalFailure())
				return;
		}
		tcmu_pool_destroy(&pool);
	}
}

} // namespace
