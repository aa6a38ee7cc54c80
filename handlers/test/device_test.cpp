// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <mutex>
#include <set>
#include <thread>

#include <tcmu/emulation.hpp>
#include <tcmu/service.hpp>

#include "fake_device.hpp"

namespace tcmu::test {
namespace {

constexpr uint8_t tur[6] = {};

/** Until @p done or ten seconds have passed. */
template <class Done> bool eventually(Done &&done)
{
	for (unsigned i = 0; i < 10000; i++) {
		if (done())
			return true;
		std::this_thread::sleep_for(std::chrono::milliseconds(1));
	}
	return false;
}

TEST(Discovery, FindsTcmuDevicesOnly)
{
	FakeDevice fake("file//some/where");
	auto found = scan_devices(fake.paths);

	ASSERT_TRUE(found);
	ASSERT_EQ(found->size(), 1u);
	EXPECT_EQ((*found)[0].minor, 7u);
	EXPECT_EQ((*found)[0].name.cfgstring(), "/some/where");
	EXPECT_FALSE(find_device(fake.paths, 8));
	EXPECT_EQ(find_device(fake.paths, 9).error().code, ENOENT);
	EXPECT_EQ(*map_size(fake.paths, 7), 4u << 20);
	auto none = scan_devices({.uio_class = fake.root + "/nothing"});
	ASSERT_TRUE(none);
	EXPECT_TRUE(none->empty());
}

TEST(Discovery, ReadsTheConfiguration)
{
	FakeDevice fake;
	auto device = fake.device();
	auto config = read_block_device_config(*device);

	ASSERT_TRUE(config) << config.error().text();
	EXPECT_EQ(config->blocks, 2048u);
	EXPECT_EQ(config->max_transfer_blocks, 128u);
	EXPECT_TRUE(config->write_cache);
	EXPECT_EQ(config->identity.vendor, "ME");
	EXPECT_EQ(config->identity.product, "TCMU device");
	EXPECT_EQ(config->identity.serial, "77aa");
	fake.write("/target/core/user_0/disk/attrib/dev_size", "many\n");
	EXPECT_EQ(read_block_device_config(*device).error().code, EINVAL);
}

TEST(Device, RecoversAFilledRingOnlyWhenAsked)
{
	FakeDevice fake;
	fake.ring->post(1, tur);
	auto serving = fake.device({.recovery = Recovery::serve});

	ASSERT_TRUE(serving->take_over());
	EXPECT_EQ(serving->ring().fetch().kind, Fetched::Kind::command);
	EXPECT_EQ(fake.read("/target/core/user_0/disk/action/reset_ring"), "");
	auto resetting = fake.device();
	ASSERT_TRUE(resetting->take_over());
	EXPECT_EQ(fake.read("/target/core/user_0/disk/action/reset_ring"), "1");
	EXPECT_EQ(fake.read("/target/core/user_0/disk/action/block_dev"), "0");
	/* A mailbox that a reset does not mend is an error, not a crash. */
	fake.ring->mailbox().version = 9;
	EXPECT_FALSE(fake.device()->take_over());
	ASSERT_TRUE(resetting->free_kept_buffer(17));
	EXPECT_EQ(fake.read("/target/core/user_0/disk/action/free_kept_buf"), "17");
}

/** Answers at once, and remembers what it was told. */
class BlockingHandler : public DeviceHandler {
public:
	void submit(Command &command) override { command.complete(Reply::good()); }
	void task_management(const TaskManagement &notice) override { aborts += notice.ids.size(); }
	Status reconfigure(const Reconfiguration &change) override
	{
		if (!change.size)
			return Error{EOPNOTSUPP, "only sizes"};
		size = *change.size;
		return {};
	}

	std::atomic<size_t> aborts{0};
	std::atomic<uint64_t> size{0};
};

TEST(Service, ServesReconfiguresAndStops)
{
	FakeDevice fake;
	auto device = fake.device();
	auto owned = std::make_unique<BlockingHandler>();
	BlockingHandler *handler = owned.get();
	size_t answered = 0;

	ASSERT_TRUE(device->take_over());
	auto service = DeviceService::start(std::move(device), std::move(owned),
					    [] { ADD_FAILURE() << "gave up"; });
	ASSERT_TRUE(service);
	for (uint16_t id = 1; id <= 200; id++)
		fake.ring->post(id, tur);
	fake.ring->post_abort(abi::tmr_abort_task, {1, 2, 3});
	EXPECT_TRUE(eventually([&] {
		answered += fake.ring->collect().size();
		return answered == 200 && handler->aborts == 3;
	}));
	EXPECT_TRUE((*service)->reconfigure({.size = 99}));
	EXPECT_EQ(handler->size, 99u);
	EXPECT_EQ((*service)->reconfigure({.write_cache = true}).error().code, EOPNOTSUPP);
	EXPECT_TRUE((*service)->stop());
	EXPECT_FALSE((*service)->failed());
	EXPECT_EQ((*service)->reconfigure({.size = 99}).error().code, ENODEV);
}

TEST(Service, GivesUpOnABrokenRing)
{
	FakeDevice fake;
	auto device = fake.device();
	std::atomic<bool> told{false};

	ASSERT_TRUE(device->take_over());
	auto service = DeviceService::start(std::move(device), std::make_unique<BlockingHandler>(),
					    [&] { told = true; });
	ASSERT_TRUE(service);
	fake.ring->post_raw(abi::op_command, 16);
	EXPECT_TRUE(eventually([&] { return told.load(); }));
	EXPECT_TRUE((*service)->failed());
	EXPECT_TRUE((*service)->stop());
}

/** Answers from two other threads, through Device::post(). */
class PostingHandler : public DeviceHandler {
public:
	explicit PostingHandler(Device &device) : device_(device)
	{
		for (std::thread &worker : workers_)
			worker = std::thread([this] { work(); });
	}
	~PostingHandler() override
	{
		ending_ = true;
		for (std::thread &worker : workers_)
			worker.join();
	}
	void submit(Command &command) override
	{
		std::lock_guard guard(lock_);
		queue_.push_back(&command);
	}
	bool uses_notify() const override { return true; }

private:
	void work()
	{
		while (!ending_) {
			Command *command = nullptr;
			{
				std::lock_guard guard(lock_);
				if (!queue_.empty()) {
					command = queue_.front();
					queue_.pop_front();
				}
			}
			if (command)
				device_.post(*command, Reply::good_with_length(command->id()));
			else
				std::this_thread::yield();
		}
	}

	Device &device_;
	std::atomic<bool> ending_{false};
	std::mutex lock_;
	std::deque<Command *> queue_;
	std::thread workers_[2];
};

TEST(Service, TakesAnswersFromOtherThreads)
{
	FakeDevice fake;
	auto device = fake.device();
	std::set<uint16_t> open;
	uint16_t next = 0;
	size_t answered = 0;

	ASSERT_TRUE(device->take_over());
	auto handler = std::make_unique<PostingHandler>(*device);
	auto service = DeviceService::start(std::move(device), std::move(handler),
					    [] { ADD_FAILURE() << "gave up"; });
	ASSERT_TRUE(service);
	EXPECT_TRUE(eventually([&] {
		while (open.size() < 100 && next < 5000) {
			fake.ring->post(++next, tur);
			open.insert(next);
		}
		for (const auto &answer : fake.ring->collect()) {
			EXPECT_EQ(open.erase(answer.id), 1u);
			EXPECT_EQ(answer.read_length, answer.id);
			answered++;
		}
		return answered == 5000;
	}));
	EXPECT_TRUE((*service)->stop());
}

/** Never answers: the deadline of stop() must cut it. */
class SilentHandler : public DeviceHandler {
public:
	void submit(Command &) override { taken++; }
	bool uses_notify() const override { return true; }

	static inline std::atomic<unsigned> taken{0};
};

TEST(Service, StopHasADeadline)
{
	FakeDevice fake;
	auto device = fake.device();

	ASSERT_TRUE(device->take_over());
	auto service = DeviceService::start(std::move(device), std::make_unique<SilentHandler>(),
					    [] { ADD_FAILURE() << "gave up"; });
	ASSERT_TRUE(service);
	fake.ring->post(1, tur);
	EXPECT_TRUE(eventually([] { return SilentHandler::taken == 1; }));
	auto begin = std::chrono::steady_clock::now();
	EXPECT_FALSE((*service)->stop(200));
	EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
	EXPECT_TRUE(fake.ring->collect().empty());
}

} // namespace
} // namespace tcmu::test
