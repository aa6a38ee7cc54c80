// SPDX-License-Identifier: GPL-2.0
// Sends the commands of the differential test to one target and keeps what it answered.
#pragma once

#include "differ_medium.hpp"
#include "differ_model.hpp"
#include "differ_rules.hpp"
#include "fuzz_watch.hpp"
#include "sg.hpp"

namespace lio::test {

struct DifferTarget {
	SgDevice device;
	DifferMedium medium;
	bool ours; ///< our core, not the distribution's
	bool cache; ///< emulate_write_cache
};

class DifferRunner {
	DifferTarget target_;
	DifferMaker maker_;
	const DifferRules &rules_;
	Progress &progress_;
	DifferModel model_;
	DifferRecord record_;
	AlignedBuffer buffer_{1 << 20};
	unsigned wrong_ = 0;
	uint64_t judged_ = 0; ///< answers compared with the standard's, not with another target's

public:
	DifferRunner(DifferTarget target, DifferMaker maker, const DifferRules &rules, Progress &progress);

	/// All commands of @header, batch by batch; 0 if all that can be judged here is right.
	Status run(const DifferHeader &header, const std::string &path);
	unsigned wrong() const { return wrong_; }
	uint64_t judged() const { return judged_; }

private:
	DifferMedium::Extent extent_after(uint64_t batch) const;
	Status run_batch(uint64_t first, uint64_t end);
	Status run_apart(uint64_t index, DifferCommand c, const RouteRule &rule);
	Result<Answer> send(uint64_t index, const DifferCommand &c);
	void keep_data(const DifferCommand &c, Answer &a);
	void judge(const DifferCommand &c, const Answer &a, const Expectation &e);
	void judge_data(const DifferCommand &c, const Answer &a, const std::vector<uint8_t> &data);
	Status judge_medium();
	void complain(const DifferCommand &c, const std::string &what);
};

} // namespace lio::test
