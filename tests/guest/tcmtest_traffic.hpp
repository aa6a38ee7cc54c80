// SPDX-License-Identifier: GPL-2.0
// An initiator that reads and writes as fast as it can and takes whatever happens to it.
#pragma once

#include <atomic>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tcmtest_stage.hpp"

namespace lio::test {

class TestTraffic {
	struct Slot {
		uint64_t tag = 0; ///< 0: free
		bool is_read = false;
		uint64_t lba = 0;
		std::vector<uint8_t> buf;
	};
	const std::string wwn_, initiator_;
	const uint64_t base_; ///< its blocks on the LUN
	std::mt19937_64 random_;
	std::vector<Slot> slots_;
	std::atomic<bool> stop_{false};
	std::atomic<uint64_t> good_{0}, logins_{0};
	std::mutex lock_;
	std::string failure_; ///< lock_
	std::thread thread_;

public:
	static constexpr unsigned depth = 16, luns = 2, blocks = 8, range = 1024;

	/// Logs in to TPG 1 of @wwn whenever it can, and uses LUNs 0 and 1.
	TestTraffic(const std::string &wwn, const std::string &initiator, unsigned number);
	~TestTraffic() { stop(); }
	TestTraffic(const TestTraffic &) = delete;

	/// Its file is closed.
	void stop();
	/// Commands that were GOOD.
	uint64_t good() const { return good_; }
	uint64_t logins() const { return logins_; }
	/// What must not happen, if it did.
	std::string failure();

private:
	void fail(const std::string &what);
	void work();
	void session(TestInitiator &io, uint32_t nexus);
	bool submit(TestInitiator &io, uint32_t nexus, Slot &slot);
	/// False: the nexus has gone.
	bool take(TestInitiator &io, const tcmt_event &event);
	void check(const Slot &slot, const tcmt_event &event);
};

} // namespace lio::test
