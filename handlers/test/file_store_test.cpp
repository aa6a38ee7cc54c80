// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <cstring>
#include <map>
#include <random>

#include "../file/file_store.hpp"
#include "fake_device.hpp"

namespace tcmu::test {
namespace {

using Kind = StoreRequest::Kind;

constexpr uint64_t size = 1 << 20;
constexpr uint32_t depth = 16;

/** A store on a real file, driven by a device's poll(). */
class FileStoreTest : public testing::TestWithParam<bool> {
protected:
	void SetUp() override
	{
		path = fake.root + "/image";
		device = fake.device();
		options = {.buffered = GetParam(), .create = true, .read_only = false,
			   .lock_milliseconds = 100};
	}
	void open()
	{
		auto made = FileStore::open(path, options);
		ASSERT_TRUE(made) << made.error().text();
		store = std::move(*made);
		ASSERT_TRUE(store->resize(size));
		buffer = {static_cast<std::byte *>(std::aligned_alloc(4096, size)), std::free};
		ASSERT_TRUE(store->prepare(depth, {buffer.get(), 65536}));
		store->on_finished([this](StoreRequest &request) { ended.push_back(&request); });
	}
	/** Run one request to its end; its error. */
	int run(Kind kind, uint64_t offset = 0, uint64_t length = 0, size_t at = 0, bool durable = false)
	{
		StoreRequest request;
		iovec list[] = {{buffer.get() + at, length}};

		request.kind = kind;
		request.offset = offset;
		request.length = length;
		request.durable = durable;
		request.data = Segments(list);
		if (store->start(request))
			return request.error;
		ended.clear();
		wait_for(1);
		return request.error;
	}
	/** Until @p count requests have ended. The fake device has an event for every poll: time counts, not polls. */
	void wait_for(size_t count)
	{
		auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
		while (ended.size() < count && std::chrono::steady_clock::now() < until) {
			ASSERT_TRUE(store->poll(*device, true));
			std::this_thread::sleep_for(std::chrono::microseconds(20));
		}
		ASSERT_EQ(ended.size(), count);
	}
	uint8_t *bytes() { return reinterpret_cast<uint8_t *>(buffer.get()); }
	uint64_t blocks_used()
	{
		struct stat status;
		EXPECT_EQ(stat(path.c_str(), &status), 0);
		return static_cast<uint64_t>(status.st_blocks);
	}

	FakeDevice fake;
	std::string path;
	FileOptions options;
	std::unique_ptr<Device> device;
	std::unique_ptr<FileStore> store;
	std::unique_ptr<std::byte[], void (*)(void *)> buffer{nullptr, std::free};
	std::vector<StoreRequest *> ended;
};

TEST_P(FileStoreTest, WritesReadsAndFlushes)
{
	open();
	for (size_t i = 0; i < size; i++)
		bytes()[i] = static_cast<uint8_t>(i * 7 + i / 512);
	EXPECT_EQ(run(Kind::write, 4096, 8192), 0);
	EXPECT_EQ(run(Kind::write, 131072, 4096, 131072, true), 0);
	EXPECT_EQ(run(Kind::flush), 0);
	EXPECT_EQ(run(Kind::read, 4096, 8192, 262144), 0);
	EXPECT_EQ(std::memcmp(bytes(), bytes() + 262144, 8192), 0);
	EXPECT_EQ(run(Kind::read, 131072, 4096, 262144), 0);
	EXPECT_EQ(std::memcmp(bytes() + 131072, bytes() + 262144, 4096), 0);
}

TEST_P(FileStoreTest, DiscardGivesSpaceBackAndReadsAsZeroes)
{
	open();
	std::memset(bytes(), 0x5a, size);
	EXPECT_TRUE(store->traits().discards);
	EXPECT_EQ(run(Kind::write, 0, size), 0);
	EXPECT_EQ(run(Kind::flush), 0);
	uint64_t full = blocks_used();
	EXPECT_EQ(run(Kind::discard, 65536, 262144), 0);
	EXPECT_LE(blocks_used(), full - 262144 / 512);
	EXPECT_FALSE(store->extent(65536, size).mapped);
	EXPECT_EQ(store->extent(65536, size).length, 262144u);
	EXPECT_TRUE(store->extent(0, size).mapped);
	EXPECT_EQ(run(Kind::zero, 512 * 1024, 4096), 0);
	std::memset(bytes(), 0x11, 8192);
	EXPECT_EQ(run(Kind::read, 65536, 4096), 0);
	EXPECT_EQ(run(Kind::read, 512 * 1024, 4096, 4096), 0);
	for (unsigned i = 0; i < 8192; i++)
		ASSERT_EQ(bytes()[i], 0) << i;
	EXPECT_EQ(run(Kind::read, 65536 - 4096, 4096), 0);
	EXPECT_EQ(bytes()[4095], 0x5a);
}

/** More iovecs than one call takes, and a list that does not begin at its start. */
TEST_P(FileStoreTest, LongAndOffsetLists)
{
	open();
	std::vector<iovec> list;
	StoreRequest request;

	for (size_t i = 0; i < size; i++)
		bytes()[i] = static_cast<uint8_t>(i / 512 * 13 + i);
	for (size_t at = 0; at < size; at += 512)
		list.push_back({bytes() + at, 512});
	request.kind = Kind::write;
	request.length = size - 1024;
	request.data = Segments(list);
	request.data_offset = 1024;
	ASSERT_FALSE(store->start(request));
	ASSERT_NO_FATAL_FAILURE(wait_for(1));
	EXPECT_EQ(request.error, 0);
	std::vector<uint8_t> copy(bytes(), bytes() + size);
	std::memset(bytes(), 0, size);
	EXPECT_EQ(run(Kind::read, 0, size - 1024), 0);
	EXPECT_EQ(std::memcmp(bytes(), copy.data() + 1024, size - 1024), 0);
}

TEST_P(FileStoreTest, ManyAtOnce)
{
	open();
	std::vector<StoreRequest> requests(depth);
	std::vector<iovec> lists(depth);
	std::mt19937 random(1);

	for (unsigned round = 0; round < 20; round++) {
		ended.clear();
		for (uint32_t i = 0; i < depth; i++) {
			lists[i] = {bytes() + i * 4096u, 4096};
			bytes()[i * 4096u] = static_cast<uint8_t>(random());
			requests[i] = {};
			requests[i].kind = Kind::write;
			requests[i].slot = i;
			requests[i].offset = i * 8192u;
			requests[i].length = 4096;
			requests[i].data = Segments({&lists[i], 1});
			EXPECT_FALSE(store->start(requests[i]));
		}
		ASSERT_NO_FATAL_FAILURE(wait_for(depth));
		for (const StoreRequest &request : requests)
			EXPECT_EQ(request.error, 0);
	}
}

TEST_P(FileStoreTest, SizesFollowTheRules)
{
	options.create = false;
	EXPECT_EQ(FileStore::open(path, options).error().code, ENOENT);
	options.create = true;
	open();
	struct stat status;
	EXPECT_TRUE(store->resize(2 * size));
	ASSERT_EQ(stat(path.c_str(), &status), 0);
	EXPECT_EQ(static_cast<uint64_t>(status.st_size), 2 * size);
	/* Smaller is a matter of the device only. */
	EXPECT_TRUE(store->resize(size));
	ASSERT_EQ(stat(path.c_str(), &status), 0);
	EXPECT_EQ(static_cast<uint64_t>(status.st_size), 2 * size);
	store.reset();
	options.create = false;
	auto again = FileStore::open(path, options);
	ASSERT_TRUE(again);
	EXPECT_EQ((*again)->resize(4 * size).error().code, ENOSPC);
	EXPECT_TRUE((*again)->resize(size));
}

TEST_P(FileStoreTest, TheFileIsLockedAndReleased)
{
	open();
	EXPECT_EQ(FileStore::open(path, options).error().code, EBUSY);
	store.reset();
	EXPECT_TRUE(FileStore::open(path, options));
}

TEST_P(FileStoreTest, OpensOnlyWhatItCanServe)
{
	EXPECT_EQ(FileStore::open("relative", options).error().code, EINVAL);
	EXPECT_EQ(FileStore::open("", options).error().code, EINVAL);
	EXPECT_FALSE(FileStore::open(fake.root, options));
	EXPECT_FALSE(FileStore::open("/dev/null", options));
}

TEST_P(FileStoreTest, ReadOnly)
{
	open();
	store.reset();
	options.read_only = true;
	options.create = false;
	auto made = FileStore::open(path, options);
	ASSERT_TRUE(made);
	EXPECT_TRUE((*made)->traits().read_only);
	EXPECT_FALSE((*made)->traits().discards);
}

TEST_P(FileStoreTest, AFileCutBehindItsBackIsAnError)
{
	open();
	ASSERT_EQ(truncate(path.c_str(), 8192), 0);
	EXPECT_EQ(run(Kind::read, 4096, 4096), 0);
	EXPECT_EQ(run(Kind::read, 4096, 16384), EIO);
	EXPECT_EQ(run(Kind::read, 65536, 4096), EIO);
}

TEST_P(FileStoreTest, WritesBeyondTheProcessLimitFail)
{
	open();
	std::memset(bytes(), 1, 4096);
	rlimit old, low;
	ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
	auto previous = std::signal(SIGXFSZ, SIG_IGN);
	low = old;
	low.rlim_cur = 65536;
	ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &low), 0);
	int error = run(Kind::write, 131072, 4096);
	EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
	std::signal(SIGXFSZ, previous);
	EXPECT_EQ(error, EFBIG);
	EXPECT_EQ(run(Kind::write, 131072, 4096), 0);
}

INSTANTIATE_TEST_SUITE_P(Files, FileStoreTest, testing::Bool(),
			 [](const auto &info) { return info.param ? "Buffered" : "Direct"; });

} // namespace
} // namespace tcmu::test
