// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cstring>
#include <numeric>
#include <string>

#include <tcmu/emulation.hpp>
#include <tcmu/endian.hpp>
#include <tcmu/ring.hpp>

#include "fake_ring.hpp"
#include "memory_store.hpp"

namespace tcmu::test {
namespace {

using Bytes = std::vector<uint8_t>;

/** What came back of a command. */
struct Outcome {
	uint8_t status = 0xff;
	Sense sense = sense::none;
	std::optional<uint32_t> read_length;
	Bytes data;

	bool good() const { return status == 0; }
};

constexpr uint32_t block = 512;
constexpr uint64_t blocks = 8192;

/** A whole device: ring in memory, emulator, store in memory. */
class EmulatorTest : public testing::Test {
protected:
	void make(uint32_t alignment = 1, BlockDeviceConfig config = {})
	{
		config.block_size = config.block_size ? config.block_size : block;
		config.blocks = config.blocks ? config.blocks : blocks;
		config.identity.serial = "12-ab-CD-ef";
		config.name = "user_0/test";
		auto owned = std::make_unique<MemoryStore>(alignment);
		store = owned.get();
		ring = std::move(*Ring::attach(fake.bytes(), {.depth = 64}));
		auto made = BlockEmulator::create(config, std::move(owned), ring->depth());
		ASSERT_TRUE(made) << made.error().text();
		emulator = std::move(*made);
	}
	void SetUp() override { make(); }

	/** Post @p cdb with a data buffer at @p at of the data area. */
	void post(uint16_t id, const Bytes &cdb, size_t size, uint64_t at = 0)
	{
		/* Pieces of odd places, so that nothing is contiguous by chance. */
		std::vector<iovec> list;
		for (size_t done = 0; done < size; done += 4096)
			list.push_back({reinterpret_cast<void *>(fake.data_offset(at + done)),
					std::min<size_t>(4096, size - done)});
		fake.post(id, cdb, list);
	}
	void serve()
	{
		for (;;) {
			Fetched found = ring->fetch();
			if (found.kind != Fetched::Kind::command)
				return;
			emulator->submit(*found.command);
		}
	}

	Outcome run(const Bytes &cdb, const Bytes &out = {}, size_t in = 0)
	{
		size_t size = std::max(out.size(), in);
		Outcome outcome;

		/* What a read does not fill must not stay as it was. */
		std::memset(fake.data(), 0xa5, size);
		if (!out.empty())
			std::memcpy(fake.data(), out.data(), out.size());
		post(1, cdb, size);
		serve();
		ring->publish();
		auto answers = fake.collect();
		EXPECT_EQ(answers.size(), 1u);
		if (answers.size() != 1)
			return outcome;
		outcome.status = answers[0].status;
		if (outcome.status == 2)
			outcome.sense = decode_sense(answers[0].sense);
		if (answers[0].uflags & abi::uflag_read_length)
			outcome.read_length = answers[0].read_length;
		outcome.data.assign(fake.data(), fake.data() + in);
		EXPECT_EQ(ring->in_flight(), 0u);
		return outcome;
	}
	static Bytes cdb10(uint8_t opcode, uint32_t lba, uint16_t count, uint8_t byte1 = 0)
	{
		Bytes cdb(10);
		cdb[0] = opcode;
		cdb[1] = byte1;
		put_be(&cdb[2], lba, 4);
		put_be(&cdb[7], count, 2);
		return cdb;
	}
	static Bytes cdb16(uint8_t opcode, uint64_t lba, uint32_t count, uint8_t byte1 = 0)
	{
		Bytes cdb(16);
		cdb[0] = opcode;
		cdb[1] = byte1;
		put_be(&cdb[2], lba, 8);
		put_be(&cdb[10], count, 4);
		return cdb;
	}
	static Bytes pattern(size_t size, uint8_t seed = 1)
	{
		Bytes bytes(size);
		std::iota(bytes.begin(), bytes.end(), seed);
		return bytes;
	}
	Bytes stored(uint64_t lba, size_t size)
	{
		auto from = store->bytes().begin() + static_cast<long>(lba * block);
		return Bytes(from, from + static_cast<long>(size));
	}

	FakeRing fake{65536, 4 << 20};
	std::unique_ptr<Ring> ring;
	std::unique_ptr<BlockEmulator> emulator;
	MemoryStore *store = nullptr;
};

TEST_F(EmulatorTest, ReadsAndWritesByEveryCdbLength)
{
	Bytes data = pattern(3 * block);
	Bytes write6 = {0x0a, 0x00, 0x00, 0x05, 3, 0}, read6 = {0x08, 0x00, 0x00, 0x05, 3, 0};
	Bytes write12(12), read12(12), write32(32), read32(32);

	write12[0] = 0xaa;
	write12[5] = 5;
	write12[9] = 3;
	read12 = write12;
	read12[0] = 0xa8;
	write32[0] = 0x7f;
	write32[7] = 0x18;
	write32[9] = 0x0b;
	write32[19] = 5;
	write32[31] = 3;
	read32 = write32;
	read32[9] = 0x09;
	std::pair<Bytes, Bytes> pairs[] = {{write6, read6},
					   {cdb10(0x2a, 5, 3), cdb10(0x28, 5, 3)},
					   {write12, read12},
					   {cdb16(0x8a, 5, 3), cdb16(0x88, 5, 3)},
					   {write32, read32}};
	uint8_t seed = 1;
	for (auto &[write, read] : pairs) {
		data = pattern(3 * block, seed += 3);
		ASSERT_TRUE(run(write, data).good()) << write.size();
		EXPECT_EQ(stored(5, 3 * block), data) << write.size();
		Outcome outcome = run(read, {}, 3 * block);
		EXPECT_TRUE(outcome.good());
		EXPECT_EQ(outcome.data, data) << read.size();
		EXPECT_FALSE(outcome.read_length);
	}
}

TEST_F(EmulatorTest, SixByteLengthZeroIs256)
{
	Bytes cdb = {0x0a, 0x00, 0x00, 0x07, 0, 0};

	ASSERT_TRUE(run(cdb, pattern(256 * block)).good());
	EXPECT_EQ(stored(7 + 255, block), pattern(block, 1));
	/* And the LBA's upper bits are those of 21, not of byte 1's others. */
	cdb = {0x08, 0xe0, 0x00, 0x07, 1, 0};
	EXPECT_TRUE(run(cdb, {}, block).good());
}

TEST_F(EmulatorTest, UnalignedMemoryGoesThroughPassBuffers)
{
	make(4096);
	Bytes data = pattern(600 * block);

	ASSERT_TRUE(run(cdb16(0x8a, 11, 600), data).good());
	EXPECT_EQ(stored(11, data.size()), data);
	Outcome outcome = run(cdb16(0x88, 11, 600), {}, data.size());
	ASSERT_TRUE(outcome.good());
	EXPECT_EQ(outcome.data, data);
}

TEST_F(EmulatorTest, RangesAreCheckedWithoutOverflow)
{
	EXPECT_TRUE(run(cdb10(0x28, blocks - 1, 1), {}, block).good());
	EXPECT_EQ(run(cdb10(0x28, blocks - 1, 2), {}, 2 * block).sense, sense::lba_out_of_range);
	EXPECT_TRUE(run(cdb10(0x28, blocks, 0)).good());
	EXPECT_EQ(run(cdb10(0x28, blocks + 1, 0)).sense, sense::lba_out_of_range);
	for (uint8_t opcode : {0x88, 0x8a, 0x8e, 0x8f, 0x91, 0x93}) {
		EXPECT_EQ(run(cdb16(opcode, UINT64_MAX, 1), pattern(block)).sense,
			  sense::lba_out_of_range) << int{opcode};
		EXPECT_EQ(run(cdb16(opcode, UINT64_MAX - 1, 0xffffffff), pattern(block)).sense,
			  sense::lba_out_of_range) << int{opcode};
	}
}

TEST_F(EmulatorTest, ShortAndLongDataBuffers)
{
	Bytes data = pattern(4 * block);

	ASSERT_TRUE(run(cdb10(0x2a, 0, 4), data).good());
	/* Too short for a write: nothing is written. */
	Outcome outcome = run(cdb10(0x2a, 0, 5), pattern(4 * block, 9));
	EXPECT_EQ(outcome.sense, sense::invalid_field_in_cdb);
	EXPECT_EQ(stored(0, 4 * block), data);
	/* Too short for a read: what fits. */
	outcome = run(cdb10(0x28, 0, 4), {}, 700);
	EXPECT_TRUE(outcome.good());
	EXPECT_EQ(outcome.data, Bytes(data.begin(), data.begin() + 700));
	EXPECT_TRUE(run(cdb10(0x28, 0, 4)).good());
	/* Longer than the CDB says: the rest is zeroed and told as residual. */
	outcome = run(cdb10(0x28, 0, 1), {}, 2 * block);
	EXPECT_EQ(outcome.read_length, block);
	EXPECT_EQ(Bytes(outcome.data.begin() + block, outcome.data.end()), Bytes(block));
	EXPECT_TRUE(run(cdb10(0x2a, 0, 1), pattern(2 * block, 7)).good());
	EXPECT_EQ(stored(1, block), Bytes(data.begin() + block, data.begin() + 2 * block));
}

TEST_F(EmulatorTest, ProtectionIsRefused)
{
	for (uint8_t opcode : {0x28, 0x2a, 0x2e, 0x2f, 0x41})
		for (uint8_t bits : {0x20, 0x80, 0xe0})
			EXPECT_EQ(run(cdb10(opcode, 0, 1, bits), pattern(block)).sense,
				  sense::invalid_field_in_cdb);
}

TEST_F(EmulatorTest, MaxTransferIsEnforced)
{
	make(1, {.max_transfer_blocks = 8});
	EXPECT_TRUE(run(cdb10(0x28, 0, 8), {}, 8 * block).good());
	EXPECT_EQ(run(cdb10(0x28, 0, 9), {}, 9 * block).sense, sense::invalid_field_in_cdb);
}

TEST_F(EmulatorTest, DurabilityFollowsFuaAndWriteCache)
{
	run(cdb10(0x2a, 0, 1), pattern(block));
	EXPECT_FALSE(store->durable.back());
	run(cdb10(0x2a, 0, 1, 0x08), pattern(block));
	EXPECT_TRUE(store->durable.back());
	store->started.clear();
	EXPECT_TRUE(run(cdb10(0x35, 0, 0)).good());
	EXPECT_EQ(store->started, (std::vector{StoreRequest::Kind::flush}));

	make(1, {.write_cache = false});
	run(cdb10(0x2a, 0, 1), pattern(block));
	EXPECT_TRUE(store->durable.back());
	/* Zeroing is not durable by itself: flushed before it is GOOD. */
	store->started.clear();
	run(cdb16(0x93, 0, 4, 0x01));
	EXPECT_EQ(store->started, (std::vector{StoreRequest::Kind::zero, StoreRequest::Kind::flush}));
	ASSERT_TRUE(emulator->reconfigure({.write_cache = true}));
	run(cdb10(0x2a, 0, 1), pattern(block));
	EXPECT_FALSE(store->durable.back());
}

TEST_F(EmulatorTest, ErrorsOfTheStoreBecomeSense)
{
	struct Case {
		int error;
		StoreRequest::Kind kind;
		Bytes cdb;
		uint8_t status;
		Sense sense;
	};
	using Kind = StoreRequest::Kind;
	const Case cases[] = {
		{EIO, Kind::read, cdb10(0x28, 0, 1), 2, sense::read_error},
		{EIO, Kind::write, cdb10(0x2a, 0, 1), 2, sense::write_error},
		{ENOSPC, Kind::write, cdb10(0x2a, 0, 1), 2, sense::space_allocation_failed},
		{EROFS, Kind::write, cdb10(0x2a, 0, 1), 2, sense::write_protected},
		{ENODEV, Kind::read, cdb10(0x28, 0, 1), 2, sense::communication_failure},
		{EINVAL, Kind::read, cdb10(0x28, 0, 1), 2, sense::internal_failure},
		{ENOMEM, Kind::read, cdb10(0x28, 0, 1), 8, sense::none},
		{EIO, Kind::flush, cdb10(0x35, 0, 0), 2, sense::write_error},
		{EIO, Kind::discard, cdb10(0x41, 0, 1, 0x08), 2, sense::write_error},
		{EIO, Kind::zero, cdb16(0x93, 0, 1, 0x01), 2, sense::write_error},
		{EIO, Kind::read, cdb10(0x2f, 0, 1), 2, sense::read_error},
		{EIO, Kind::read, cdb10(0x2e, 0, 1), 2, sense::read_error},
	};

	for (const Case &one : cases) {
		store->error = one.error;
		store->error_kind = one.kind;
		Outcome outcome = run(one.cdb, Bytes(block), block);
		EXPECT_EQ(outcome.status, one.status) << one.error << " " << int{one.cdb[0]};
		EXPECT_EQ(outcome.sense, one.sense) << one.error << " " << int{one.cdb[0]};
		EXPECT_EQ(store->error, 0);
	}
}

TEST_F(EmulatorTest, CompareAndWrite)
{
	auto caw = [](uint64_t lba, uint8_t count) {
		Bytes cdb(16);
		cdb[0] = 0x89;
		put_be(&cdb[2], lba, 8);
		cdb[13] = count;
		return cdb;
	};
	Bytes old = pattern(2 * block), fresh = pattern(2 * block, 77), both = old;

	both.insert(both.end(), fresh.begin(), fresh.end());
	run(cdb10(0x2a, 3, 2), old);
	EXPECT_TRUE(run(caw(3, 2), both).good());
	EXPECT_EQ(stored(3, 2 * block), fresh);
	store->bytes()[3 * block + 600] = both[600];
	std::copy_n(both.begin(), 600, store->bytes().begin() + 3 * block);
	store->bytes()[3 * block + 600] ^= 1;
	Outcome outcome = run(caw(3, 2), both);
	EXPECT_EQ(outcome.sense, sense::miscompare.with_information(600));
	EXPECT_NE(stored(3, 2 * block), fresh);
	EXPECT_TRUE(run(caw(3, 0)).good());
	EXPECT_EQ(run(caw(3, 2), old).sense, sense::invalid_field_in_cdb);
	/* The buffer and the lock came back each time. */
	for (int i = 0; i < 20; i++)
		EXPECT_EQ(run(caw(3, 2), both).sense.key, SenseKey::miscompare);
	EXPECT_TRUE(run(cdb10(0x2a, 3, 2), old).good());
}

TEST_F(EmulatorTest, VerifyComparesWhatIsAsked)
{
	Bytes data = pattern(2000 * block), one(data.begin(), data.begin() + block);

	run(cdb10(0x2a, 0, 2000), data);
	EXPECT_TRUE(run(cdb10(0x2f, 0, 2000)).good());
	EXPECT_TRUE(run(cdb10(0x2f, 0, 2000, 0x02), data).good());
	data[1500 * block + 3] ^= 1;
	EXPECT_EQ(run(cdb10(0x2f, 0, 2000, 0x02), data).sense,
		  sense::miscompare.with_information(1500 * block + 3));
	/* The pattern repeats every block: 512 is a multiple of 256. */
	EXPECT_TRUE(run(cdb10(0x2f, 0, 2000, 0x06), one).good());
	store->bytes()[700 * block] ^= 1;
	EXPECT_EQ(run(cdb10(0x2f, 0, 2000, 0x06), one).sense,
		  sense::miscompare.with_information(700 * block));
	EXPECT_EQ(run(cdb10(0x2f, 0, 1, 0x04), one).sense, sense::invalid_field_in_cdb);
	EXPECT_EQ(run(cdb10(0x2f, 0, 2, 0x02), one).sense, sense::invalid_field_in_cdb);
	EXPECT_TRUE(run(cdb16(0x8e, 4000, 2000, 0x02), data).good());
	EXPECT_EQ(stored(4000, data.size()), data);
	EXPECT_EQ(run(cdb16(0x8e, 0, 1, 0x06), one).sense, sense::invalid_field_in_cdb);
}

TEST_F(EmulatorTest, WriteSame)
{
	Bytes one = pattern(block, 5);
	using Kind = StoreRequest::Kind;

	EXPECT_TRUE(run(cdb10(0x41, 100, 1500), one).good());
	for (uint64_t lba : {100, 611, 612, 613, 1599})
		EXPECT_EQ(stored(lba, block), one) << lba;
	EXPECT_EQ(stored(99, block), Bytes(block));
	EXPECT_EQ(stored(1600, block), Bytes(block));
	store->started.clear();
	EXPECT_TRUE(run(cdb16(0x93, 100, 10), Bytes(block)).good());
	EXPECT_TRUE(run(cdb16(0x93, 110, 10, 0x08), Bytes(block)).good());
	EXPECT_TRUE(run(cdb16(0x93, 120, 10, 0x09)).good());
	EXPECT_EQ(store->started, (std::vector{Kind::zero, Kind::discard, Kind::discard}));
	EXPECT_EQ(stored(100, 30 * block), Bytes(30 * block));
	/* UNMAP with another block than zeroes has to write it. */
	EXPECT_TRUE(run(cdb16(0x93, 100, 10, 0x08), one).good());
	EXPECT_EQ(stored(109, block), one);
	for (uint8_t bits : {0x10, 0x04, 0x02})
		EXPECT_EQ(run(cdb16(0x93, 0, 1, bits), one).sense, sense::invalid_field_in_cdb);
	EXPECT_EQ(run(cdb10(0x41, 0, 1, 0x01), one).sense, sense::invalid_field_in_cdb);
	EXPECT_EQ(run(cdb16(0x93, 0, 0), one).sense, sense::invalid_field_in_cdb);
	EXPECT_EQ(run(cdb16(0x93, 0, 1), pattern(block - 1)).sense, sense::invalid_field_in_cdb);
	store->change_traits().discards = false;
	EXPECT_EQ(run(cdb16(0x93, 0, 1, 0x08), one).sense, sense::invalid_field_in_cdb);
}

class UnmapTest : public EmulatorTest {
protected:
	static Bytes list(std::initializer_list<std::pair<uint64_t, uint32_t>> ranges)
	{
		Bytes bytes(8 + 16 * ranges.size());
		put_be(&bytes[0], bytes.size() - 2, 2);
		put_be(&bytes[2], bytes.size() - 8, 2);
		size_t at = 8;
		for (auto [lba, count] : ranges) {
			put_be(&bytes[at], lba, 8);
			put_be(&bytes[at + 8], count, 4);
			at += 16;
		}
		return bytes;
	}
	Outcome unmap(const Bytes &bytes, std::optional<uint16_t> length = {}, uint8_t byte1 = 0)
	{
		return run(cdb10(0x42, 0, length.value_or(static_cast<uint16_t>(bytes.size())), byte1),
			   bytes);
	}
};

TEST_F(UnmapTest, ZeroesEveryRangeAndNothingElse)
{
	run(cdb10(0x2a, 0, 100), pattern(100 * block));
	EXPECT_TRUE(unmap(list({{10, 5}, {0, 0}, {90, 2}})).good());
	EXPECT_EQ(stored(10, 5 * block), Bytes(5 * block));
	EXPECT_EQ(stored(90, 2 * block), Bytes(2 * block));
	EXPECT_EQ(stored(9, block), pattern(block));
	EXPECT_EQ(stored(15, block), pattern(block));
	EXPECT_EQ(stored(92, block), pattern(block));
}

TEST_F(UnmapTest, ChecksItsListBeforeItBegins)
{
	run(cdb10(0x2a, 0, 100), pattern(100 * block));
	EXPECT_EQ(unmap(list({{0, 10}, {blocks, 1}})).sense, sense::lba_out_of_range);
	EXPECT_EQ(unmap(list({{0, 10}, {UINT64_MAX, 2}})).sense, sense::lba_out_of_range);
	EXPECT_EQ(stored(0, block), pattern(block));
	EXPECT_EQ(unmap(list({{0, 1}}), {}, 0x01).sense, sense::invalid_field_in_cdb);
	EXPECT_EQ(unmap(list({{0, 1}}), 7).sense, sense::parameter_list_length);
	EXPECT_EQ(unmap(list({{0, 1}}), 40).sense, sense::parameter_list_length);
	EXPECT_TRUE(unmap({}, 0).good());
	EXPECT_TRUE(unmap(list({})).good());
	Bytes lying = list({{0, 1}});
	put_be(&lying[2], 0xffff, 2);
	EXPECT_EQ(unmap(lying).sense, sense::parameter_list_length);
	Bytes many = list({});
	many.resize(8 + 16 * 65);
	put_be(&many[2], 16 * 65, 2);
	EXPECT_EQ(unmap(many).sense, sense::invalid_field_in_parameters);
	EXPECT_EQ(stored(0, block), pattern(block));
	store->change_traits().discards = false;
	EXPECT_EQ(unmap(list({{0, 1}})).sense, sense::invalid_opcode);
}

TEST_F(EmulatorTest, ReadOnlyRefusesEveryWrite)
{
	store->change_traits().read_only = true;
	for (uint8_t opcode : {0x2a, 0x2e, 0x41, 0x42})
		EXPECT_EQ(run(cdb10(opcode, 0, 1), pattern(block)).sense, sense::write_protected);
	EXPECT_EQ(run(cdb16(0x89, 0, 1), pattern(2 * block)).sense, sense::write_protected);
	EXPECT_TRUE(run(cdb10(0x28, 0, 1), {}, block).good());
	Outcome outcome = run({0x1a, 0, 0x3f, 0, 255, 0}, {}, 255);
	EXPECT_TRUE(outcome.data[2] & 0x80);
}

TEST_F(EmulatorTest, Inquiry)
{
	Outcome outcome = run({0x12, 0, 0, 0, 255, 0}, {}, 255);

	ASSERT_TRUE(outcome.good());
	EXPECT_EQ(outcome.read_length, 64u);
	EXPECT_EQ(outcome.data[4], 59);
	EXPECT_EQ(std::string(outcome.data.begin() + 8, outcome.data.begin() + 36),
		  "LIO-ORG TCMU device     0002");
	EXPECT_EQ(Bytes(outcome.data.begin() + 64, outcome.data.end()), Bytes(255 - 64));
	/* ALLOCATION LENGTH and data buffer both cut. */
	EXPECT_EQ(run({0x12, 0, 0, 0, 5, 0}, {}, 255).read_length, 5u);
	EXPECT_EQ(run({0x12, 0, 0, 0, 255, 0}, {}, 36).read_length, 36u);
	EXPECT_EQ(run({0x12, 0, 0, 0, 0, 0}).read_length, 0u);
	/* A page code without EVPD, a page that is not there. */
	EXPECT_EQ(run({0x12, 0, 0x80, 0, 255, 0}, {}, 255).sense, sense::invalid_field_in_cdb);
	EXPECT_EQ(run({0x12, 1, 0xb7, 0, 255, 0}, {}, 255).sense, sense::invalid_field_in_cdb);
}

TEST_F(EmulatorTest, VitalProductData)
{
	auto page = [&](uint8_t code) {
		Outcome outcome = run({0x12, 1, code, 0, 255, 0}, {}, 255);
		EXPECT_EQ(outcome.data[1], code);
		EXPECT_EQ(outcome.read_length, 4u + get_be(&outcome.data[2], 2));
		return outcome.data;
	};

	EXPECT_EQ(page(0x00)[3], 6);
	EXPECT_EQ(page(0x80)[3], 11);
	Bytes id = page(0x83);
	EXPECT_EQ(id[4], 0x01);
	EXPECT_EQ(id[5], 0x03);
	EXPECT_EQ((Bytes(id.begin() + 8, id.begin() + 16)),
		  (Bytes{0x60, 0x01, 0x40, 0x51, 0x2a, 0xbc, 0xde, 0xf0}));
	Bytes limits = page(0xb0);
	EXPECT_EQ(limits[3], 60);
	EXPECT_EQ(limits[5], 255);
	EXPECT_EQ(get_be(&limits[24], 4), 64u);
	EXPECT_EQ(page(0xb1)[5], 1);
	EXPECT_EQ(page(0xb2)[5], 0xe4);
}

TEST_F(EmulatorTest, Capacity)
{
	Outcome outcome = run({0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0}, {}, 8);

	EXPECT_EQ(get_be(&outcome.data[0], 4), blocks - 1);
	EXPECT_EQ(get_be(&outcome.data[4], 4), block);
	EXPECT_EQ(run({0x25, 0, 0, 0, 0, 1, 0, 0, 0, 0}, {}, 8).sense, sense::invalid_field_in_cdb);
	Bytes cdb(16);
	cdb[0] = 0x9e;
	cdb[1] = 0x10;
	cdb[13] = 32;
	outcome = run(cdb, {}, 32);
	EXPECT_EQ(get_be(&outcome.data[0], 8), blocks - 1);
	EXPECT_EQ(outcome.data[13], 3);
	EXPECT_EQ(outcome.data[14], 0xc0);
	ASSERT_TRUE(emulator->reconfigure({.size = 2 * blocks * block}));
	EXPECT_EQ(get_be(&run(cdb, {}, 32).data[0], 8), 2 * blocks - 1);
	EXPECT_FALSE(emulator->reconfigure({.size = 65ull << 20}));
	EXPECT_FALSE(emulator->reconfigure({.size = 100}));
	EXPECT_FALSE(emulator->reconfigure({.config = "null/other"}));
	EXPECT_EQ(get_be(&run(cdb, {}, 32).data[0], 8), 2 * blocks - 1);
}

TEST_F(EmulatorTest, LbaStatus)
{
	auto status = [](uint64_t lba, uint32_t allocation) {
		Bytes cdb(16);
		cdb[0] = 0x9e;
		cdb[1] = 0x12;
		put_be(&cdb[2], lba, 8);
		put_be(&cdb[10], allocation, 4);
		return cdb;
	};

	run(cdb10(0x2a, 8, 8), pattern(8 * block));
	Outcome outcome = run(status(0, 200), {}, 200);
	ASSERT_EQ(outcome.read_length, 8u + 3 * 16);
	EXPECT_EQ(get_be(&outcome.data[0], 4), 4u + 3 * 16);
	EXPECT_EQ(outcome.data[8 + 12], 1);
	EXPECT_EQ(get_be(&outcome.data[24], 8), 8u);
	EXPECT_EQ(get_be(&outcome.data[32], 4), 8u);
	EXPECT_EQ(outcome.data[24 + 12], 0);
	EXPECT_EQ(run(status(blocks, 200), {}, 200).sense, sense::lba_out_of_range);
}

TEST_F(EmulatorTest, ModeSenseAndSelect)
{
	Outcome outcome = run({0x1a, 0x08, 0x08, 0, 255, 0}, {}, 255);

	ASSERT_EQ(outcome.read_length, 24u);
	EXPECT_EQ(outcome.data[0], 23);
	EXPECT_EQ(outcome.data[2], 0x10);
	EXPECT_EQ(outcome.data[6] & 0x04, 0x04);
	Bytes same(outcome.data.begin(), outcome.data.begin() + 24);
	same[0] = 0;
	auto select = [](uint8_t length) { return Bytes{0x15, 0x10, 0, 0, length, 0}; };
	EXPECT_TRUE(run(select(24), same).good());
	same[6] ^= 0x04;
	EXPECT_EQ(run(select(24), same).sense, sense::invalid_field_in_parameters);
	EXPECT_EQ(run(select(20), Bytes(same.begin(), same.begin() + 20)).sense,
		  sense::invalid_field_in_parameters);
	EXPECT_EQ(run(select(3), same).sense, sense::parameter_list_length);
	EXPECT_EQ(run({0x15, 0x11, 0, 0, 24, 0}, same).sense, sense::invalid_field_in_cdb);
	EXPECT_TRUE(run(select(0)).good());

	ASSERT_TRUE(emulator->reconfigure({.write_cache = false}));
	outcome = run({0x5a, 0x10, 0x3f, 0xff, 0, 0, 0, 0, 255, 0}, {}, 255);
	EXPECT_EQ(get_be(&outcome.data[6], 2), 16u);
	EXPECT_EQ(get_be(&outcome.data[8], 8), blocks);
	EXPECT_EQ(outcome.data[24 + 12], 0x08);
	EXPECT_EQ(outcome.data[24 + 14] & 0x04, 0);
	/* Changeable: nothing; saved: nowhere. */
	outcome = run({0x1a, 0x08, 0x48, 0, 255, 0}, {}, 255);
	EXPECT_EQ(outcome.data[6], 0);
	EXPECT_EQ(run({0x1a, 0x08, 0xc8, 0, 255, 0}, {}, 255).sense, sense::saving_not_supported);
	EXPECT_EQ(run({0x1a, 0x08, 0x09, 0, 255, 0}, {}, 255).sense, sense::invalid_field_in_cdb);
	EXPECT_EQ(run({0x1a, 0x08, 0x08, 1, 255, 0}, {}, 255).sense, sense::invalid_field_in_cdb);
}

/** MODE SELECT must survive any parameter list. */
TEST_F(EmulatorTest, ModeSelectWithNoise)
{
	std::mt19937 random(3);

	for (unsigned i = 0; i < 20000; i++) {
		Bytes list(random() % 80);
		for (uint8_t &byte : list)
			byte = random() % 3 ? static_cast<uint8_t>(random() % 24) : uint8_t(random());
		bool ten = random() % 2;
		auto length = static_cast<uint8_t>(random() % 90);
		Bytes cdb = ten ? Bytes{0x55, 0x10, 0, 0, 0, 0, 0, 0, length, 0}
				: Bytes{0x15, 0x10, 0, 0, length, 0};
		Outcome outcome = run(cdb, list);
		EXPECT_TRUE(outcome.status == 0 || outcome.sense.key == SenseKey::illegal_request);
	}
}

TEST_F(EmulatorTest, SupportedOpcodesAgreeWithTheTable)
{
	auto rsoc = [](uint8_t options, uint8_t code, uint16_t action) {
		Bytes cdb(12);
		cdb[0] = 0xa3;
		cdb[1] = 0x0c;
		cdb[2] = options;
		cdb[3] = code;
		put_be(&cdb[4], action, 2);
		put_be(&cdb[6], 4096, 4);
		return cdb;
	};
	Outcome all = run(rsoc(0, 0, 0), {}, 4096);
	ASSERT_TRUE(all.good());
	size_t length = get_be(&all.data[0], 4);
	ASSERT_EQ(length % 8, 0u);
	EXPECT_GT(length / 8, 30u);
	for (size_t at = 4; at < 4 + length; at += 8) {
		const uint8_t *row = &all.data[at];
		bool action = row[5] & 1;
		Outcome one = run(rsoc(action ? 2 : 1, row[0], static_cast<uint16_t>(get_be(row + 2, 2))),
				  {}, 4096);
		ASSERT_TRUE(one.good()) << int{row[0]};
		EXPECT_EQ(one.data[1] & 7, 3);
		EXPECT_EQ(get_be(&one.data[2], 2), get_be(row + 6, 2));
		EXPECT_EQ(one.data[4], row[0]);
		/* Each is known to the dispatcher: with a zero CDB nothing says INVALID OPCODE. */
		Bytes cdb(get_be(row + 6, 2));
		cdb[0] = row[0];
		if (row[0] == 0x7f) {
			cdb[7] = 0x18;
			cdb[9] = row[3];
		} else if (action) {
			cdb[1] = row[3];
		}
		EXPECT_NE(run(cdb, Bytes(4096), 4096).sense, sense::invalid_opcode) << int{row[0]};
	}
	EXPECT_EQ(run(rsoc(1, 0xc0, 0), {}, 4096).data[1] & 7, 1);
	EXPECT_EQ(run(rsoc(1, 0x9e, 0), {}, 4096).sense, sense::invalid_field_in_cdb);
	EXPECT_EQ(run(rsoc(2, 0x28, 0), {}, 4096).sense, sense::invalid_field_in_cdb);
	EXPECT_EQ(run(rsoc(3, 0x28, 0), {}, 4096).data[1] & 7, 3);
	EXPECT_EQ(run(rsoc(4, 0x28, 0), {}, 4096).sense, sense::invalid_field_in_cdb);
	EXPECT_EQ(get_be(&run(rsoc(0x80, 0, 0), {}, 4096).data[0], 4), length / 8 * 20);
}

TEST_F(EmulatorTest, UnknownCommands)
{
	EXPECT_EQ(run({0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}).sense, sense::invalid_opcode);
	EXPECT_EQ(run({0x9e, 0x1f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}).sense,
		  sense::invalid_field_in_cdb);
	EXPECT_EQ(run({0x1b, 0, 0, 0, 0x00, 0}).sense, sense::invalid_field_in_cdb);
	EXPECT_TRUE(run({0x1b, 0, 0, 0, 0x01, 0}).good());
	EXPECT_TRUE(run({0x00, 0, 0, 0, 0, 0}).good());
	EXPECT_EQ(run({0x03, 0, 0, 0, 252, 0}, {}, 252).read_length, 18u);
	EXPECT_EQ(run({0x03, 1, 0, 0, 252, 0}, {}, 252).read_length, 8u);
}

/** Any CDB at all gets an answer, and nothing is touched that must not be (ASan). */
TEST_F(EmulatorTest, RandomCdbs)
{
	static constexpr uint8_t known[] = {0x08, 0x0a, 0x12, 0x15, 0x1a, 0x28, 0x2a, 0x2e, 0x2f,
					    0x35, 0x41, 0x42, 0x55, 0x5a, 0x7f, 0x88, 0x89, 0x8a,
					    0x8e, 0x8f, 0x91, 0x93, 0x9e, 0xa3, 0xa8};
	std::mt19937 random(11);

	for (unsigned i = 0; i < 50000; i++) {
		Bytes cdb(32);
		for (uint8_t &byte : cdb)
			byte = random() % 3 ? 0 : static_cast<uint8_t>(random());
		cdb[0] = random() % 8 ? known[random() % std::size(known)] : uint8_t(random());
		if (cdb[0] == 0x7f)
			cdb[7] = 0x18;
		size_t size = random() % 4 ? random() % 8192 : random() % 65536;
		Bytes out(random() % 2 ? size : 0);
		Outcome outcome = run(cdb, out, size);
		EXPECT_NE(outcome.status, 0xff);
	}
}

TEST(EmulatorCreate, RefusesWhatCannotWork)
{
	auto create = [](BlockDeviceConfig config, uint32_t alignment = 1) {
		auto store = std::make_unique<MemoryStore>();
		store->change_traits().block_alignment = alignment;
		return static_cast<bool>(BlockEmulator::create(config, std::move(store), 8));
	};

	EXPECT_TRUE(create({.blocks = 8}));
	EXPECT_FALSE(create({.block_size = 0, .blocks = 8}));
	EXPECT_FALSE(create({.block_size = 520, .blocks = 8}));
	EXPECT_FALSE(create({.block_size = 256, .blocks = 8}));
	EXPECT_FALSE(create({.block_size = 1 << 17, .blocks = 8}));
	EXPECT_FALSE(create({.blocks = 0}));
	EXPECT_FALSE(create({.blocks = 8}, 4096));
	EXPECT_FALSE(create({.blocks = 1ull << 40}));
}

/**
 * A store that finishes late and out of order: many commands at once, and
 * COMPARE AND WRITE as a counter that must not lose an increment.
 */
class LateStoreTest : public EmulatorTest {
protected:
	void finish_all(std::mt19937 &random)
	{
		while (store->finish_one(random))
			serve();
		ring->publish();
	}
};

TEST_F(LateStoreTest, CompareAndWriteIsAtomicAmongItself)
{
	std::mt19937 random(21);
	unsigned won = 0;

	store->late = true;
	for (unsigned round = 0; round < 500; round++) {
		Bytes now = stored(9, block);
		unsigned rivals = 2 + random() % 20;
		for (uint16_t id = 1; id <= rivals; id++) {
			Bytes next = now;
			put_be(&next[0], get_be(&now[0], 4) + 1, 4);
			put_be(&next[4], id, 4);
			std::memcpy(fake.data(id * 4096u), now.data(), block);
			std::memcpy(fake.data(id * 4096u + block), next.data(), block);
			Bytes cdb(16);
			cdb[0] = 0x89;
			cdb[9] = 9;
			cdb[13] = 1;
			post(id, cdb, 2 * block, id * 4096u);
		}
		serve();
		finish_all(random);
		unsigned winners = 0;
		for (const auto &answer : fake.collect())
			winners += answer.status == 0;
		ASSERT_EQ(winners, 1u);
		won += winners;
		ASSERT_EQ(get_be(&store->bytes()[9 * block], 4), won);
	}
}

TEST_F(LateStoreTest, ManyMixedCommandsAllEnd)
{
	std::mt19937 random(31);

	make(4096);
	store->late = true;
	for (unsigned round = 0; round < 300; round++) {
		unsigned count = 1 + random() % 60;
		for (uint16_t id = 1; id <= count; id++) {
			uint64_t lba = random() % 64;
			uint64_t at = id * 16384u;
			switch (random() % 6) {
			case 0:
				post(id, cdb16(0x88, lba, 8), 8 * block, at);
				break;
			case 1:
				post(id, cdb16(0x8a, lba, 8), 8 * block, at);
				break;
			case 2:
				post(id, cdb16(0x8e, lba, 8), 8 * block, at);
				break;
			case 3:
				post(id, cdb16(0x93, lba, 2000), block, at);
				break;
			case 4:
				post(id, cdb16(0x91, 0, 0), 0, at);
				break;
			case 5:
				post(id, cdb16(0x8f, lba, 1000), 0, at);
				break;
			}
		}
		serve();
		finish_all(random);
		serve();
		finish_all(random);
		ASSERT_EQ(ring->in_flight(), 0u);
		ASSERT_EQ(fake.collect().size(), count);
	}
}

} // namespace
} // namespace tcmu::test
