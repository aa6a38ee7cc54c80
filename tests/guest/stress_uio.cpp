// SPDX-License-Identifier: GPL-2.0
// UIO gives a number back before the device that had it is out of sysfs: another that is registered
// at that moment gets the number and fails with EEXIST and a trace in the log (uio_unregister_device()
// of 6.12 and 6.1), unless the module does one at a time.
#include <future>

#include <unistd.h>

#include "loopback.hpp"
#include "module.hpp"
#include "seed.hpp"
#include "stress_stage.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

constexpr unsigned nr_threads = 4;

Status one_life(const std::string &device)
{
	LIO_CHECK(make_dir(device));
	LIO_CHECK(write_value(device + "/control", "dev_config=none/x,dev_size=1048576,hw_block_size=512,"
						   "max_data_area_mb=1,cmd_ring_size_mb=1,nl_reply_supported=-1"));
	Status enabled = write_value(device + "/enable", "1");
	if (rmdir(device.c_str()))
		return sys_error(device, "rmdir");
	return enabled;
}

Status many_lives(unsigned number, uint64_t lives)
{
	LIO_TRY(Removal hba, make_dir_guard(target_root + "/core/user_92" + std::to_string(number)));
	for (; lives; lives--)
		LIO_CHECK(one_life(hba.path() + "/brief"));
	return hba.remove();
}

TEST(StressUio, DevicesComeAndGoSideBySide)
{
	ASSERT_OK(ensure_target_core());
	ASSERT_OK(load_module("target_core_user"));
	std::vector<std::future<Status>> threads;
	for (unsigned n = 0; n < nr_threads; n++)
		threads.push_back(std::async(std::launch::async, many_lives, n, count(200, 2000)));
	for (auto &t : threads)
		EXPECT_OK(t.get());
}

} // namespace
} // namespace lio::test
