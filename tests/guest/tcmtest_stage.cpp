// SPDX-License-Identifier: GPL-2.0
#include "tcmtest_stage.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include <sched.h>

#include "module.hpp"
#include "seed.hpp"

namespace lio::test {

std::string fresh_wwn()
{
	static uint64_t next = rng("wwn")() % 1000000;
	return "iqn.2026-01.org.x:t" + std::to_string(next++);
}

Result<TestStage> TestStage::create(std::vector<std::pair<std::string, std::string>> attribs)
{
	LIO_CHECK(ensure_tcm_test());
	BackstoreSpec spec = ramdisk_spec("tcmtest", bytes);
	LIO_TRY(Backstore store, Backstore::create(spec));
	for (const auto &[name, value] : attribs)
		LIO_CHECK(store.set(name, value));
	LIO_TRY(TestPort port, TestPort::create(fresh_wwn(), 1, false));
	LIO_CHECK(port.add_lun(0, store));
	for (const auto &name : {initiator_a, initiator_b}) {
		LIO_CHECK(port.add_acl(name));
		LIO_CHECK(port.map_lun(name, 0, 0));
	}
	LIO_TRY(TestInitiator io, TestInitiator::open());
	LIO_TRY(uint32_t a, io.login(port, initiator_a));
	LIO_TRY(uint32_t b, io.login(port, initiator_b));
	LIO_CHECK(io.settle(a, 0));
	LIO_CHECK(io.settle(b, 0));
	return TestStage{std::move(store), std::move(port), std::move(io), a, b};
}

Status TestStage::logout()
{
	LIO_CHECK(io.logout(a));
	return io.logout(b);
}

std::vector<std::vector<std::pair<std::string, std::string>>> submit_types()
{
	std::vector<std::vector<std::pair<std::string, std::string>>> types{{}};
	// Since 6.7.
	if (kernel_release().rfind("6.1.", 0) != 0)
		types.push_back({{"submit_type", "2"}});
	return types;
}

void stay_on_one_cpu()
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(0, &set);
	EXPECT_EQ(sched_setaffinity(0, sizeof(set), &set), 0) << strerror(errno);
}

bool core_is_ours()
{
	return module_is_ours("target_core_mod");
}

} // namespace lio::test
