// SPDX-License-Identifier: GPL-2.0
// The look at the medium of the differential test, on a file.
#include "differ_medium.hpp"
#include "gtest_result.hpp"
#include "pattern.hpp"

namespace lio::test {
namespace {

using enum DifferMedium::Extent;

constexpr DifferGeometry geometry{16384, 512};
constexpr uint64_t chunk_bytes = differ_chunk * 512;

struct DifferMediumTest : testing::Test {
	std::optional<TempDir> dir;
	std::optional<BlockFile> file;
	std::optional<DifferMedium> medium;

	void SetUp() override
	{
		ASSERT_OK_AND_ASSIGN(TempDir d, TempDir::create());
		ASSERT_OK(make_sparse_file(d / "disk", geometry.blocks * geometry.block_size));
		ASSERT_OK_AND_ASSIGN(BlockFile f, BlockFile::open(d / "disk", false));
		ASSERT_OK_AND_ASSIGN(BlockFile own, BlockFile::open(d / "disk", false));
		ASSERT_OK_AND_ASSIGN(DifferMedium m, DifferMedium::create(std::move(own), geometry));
		dir.emplace(std::move(d));
		file.emplace(std::move(f));
		medium.emplace(std::move(m));
	}
	void spoil(uint64_t lba)
	{
		uint8_t wrong = uint8_t(~pattern(8, lba * 512)[0]);
		ASSERT_OK(file->write_at(lba * 512, {&wrong, 1}));
	}
	std::vector<uint64_t> changed(DifferMedium::Extent extent)
	{
		auto changes = medium->take_changes(extent);
		EXPECT_OK(changes);
		std::vector<uint64_t> chunks;
		for (const auto &[chunk, bytes] : changes.ok() ? *changes : std::map<uint64_t, std::vector<uint8_t>>()) {
			EXPECT_EQ(bytes.size(), chunk_bytes);
			chunks.push_back(chunk);
		}
		return chunks;
	}
};

DifferCommand write_10(uint32_t lba, uint16_t blocks)
{
	DifferCommand c;
	c.cdb = Cdb(10);
	c.cdb[0] = 0x2a;
	c.cdb.be(2, 4, lba);
	c.cdb.be(7, 2, blocks);
	return c;
}

using Chunks = std::vector<uint64_t>;

TEST_F(DifferMediumTest, WhatIsNamedIsFoundAtOnceAndMended)
{
	spoil(5000);
	spoil(5017);
	medium->name(write_10(5000, 18), true);
	EXPECT_EQ(changed(named), (Chunks{625, 627}));
	EXPECT_OK(file->verify_pattern(0, geometry.blocks * 512));
	EXPECT_EQ(changed(all), Chunks());
}

TEST_F(DifferMediumTest, WhatNobodyNamedIsFoundLater)
{
	spoil(3);
	spoil(5000);
	medium->name(write_10(9000, 1), true);
	EXPECT_EQ(changed(named), Chunks());
	EXPECT_EQ(changed(windows), Chunks{0});
	EXPECT_EQ(changed(all), Chunks{625});
	EXPECT_OK(file->verify_pattern(0, geometry.blocks * 512));
}

TEST_F(DifferMediumTest, ARefusedRangeOfManyBlocksWaits)
{
	spoil(9000);
	medium->name(write_10(0, 16000), false);
	EXPECT_EQ(changed(named), Chunks());
	medium->name(write_10(0, 16000), true);
	EXPECT_EQ(changed(named), Chunks{1125});
}

TEST_F(DifferMediumTest, TheMediumsEndIsLookedAt)
{
	spoil(geometry.blocks - 1);
	EXPECT_EQ(changed(windows), Chunks{geometry.blocks / differ_chunk - 1});
	spoil(geometry.blocks - 1);
	EXPECT_EQ(changed(all), Chunks{geometry.blocks / differ_chunk - 1});
}

} // namespace
} // namespace lio::test
