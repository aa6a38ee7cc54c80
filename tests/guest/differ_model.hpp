// SPDX-License-Identifier: GPL-2.0
// What the standard lets a small disk without protection information and without a defect answer
// to commands that the distribution's target lacks. Written from SPC-4 and SBC-4, with nothing in
// common with the target.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "differ_maker.hpp"
#include "differ_rules.hpp"

namespace lio::test {

struct Expectation {
	std::vector<std::string> answers; ///< any of these, as Answer::str()
	/// What must be returned, before the allocation length cuts it; nothing: no matter what.
	std::optional<std::vector<uint8_t>> data;
};

class DifferModel {
	DifferGeometry geometry_;
	bool cache_;
	std::map<uint64_t, std::vector<uint8_t>> blocks_; ///< that are not the pattern any more
	std::array<uint8_t, 512> buffer_{}, echo_{};
	size_t echo_length_ = 0;

public:
	/// @cache: there is a volatile write cache, so that DPO and FUA are taken.
	DifferModel(const DifferGeometry &geometry, bool cache) : geometry_(geometry), cache_(cache) {}

	/// Gives @c the buffer that its CDB asks for.
	void fit(DifferCommand &c) const;
	/// @c with such a buffer; @usage: the bits that may be set.
	Expectation execute(const DifferCommand &c, std::span<const uint8_t> usage);
	/// Does the model know what such a command does?
	static bool knows(const DifferCommand &c);
	std::vector<uint8_t> block(uint64_t lba) const;
	/// Blocks that are not as they were at the last reset.
	std::vector<uint64_t> changed() const;
	void reset() { blocks_.clear(); }

private:
	struct Op;
	static const Op *find(const DifferCommand &c);
	bool on_medium(const DifferCommand &c) const;
	void put_blocks(uint64_t lba, std::span<const uint8_t> data);
	bool holds(uint64_t lba, std::span<const uint8_t> data) const;
	Expectation read(const DifferCommand &c);
	Expectation write(const DifferCommand &c);
	Expectation compare_and_write(const DifferCommand &c);
	Expectation nothing(const DifferCommand &c);
	Expectation or_write(const DifferCommand &c);
	Expectation write_verify(const DifferCommand &c);
	Expectation verify(const DifferCommand &c);
	Expectation log_sense(const DifferCommand &c);
	Expectation write_buffer(const DifferCommand &c);
	Expectation read_buffer(const DifferCommand &c);
	Expectation send_diagnostic(const DifferCommand &c);
	Expectation receive_diagnostic(const DifferCommand &c);
	Expectation defects(const DifferCommand &c);
	Expectation lba_status(const DifferCommand &c);
	Expectation functions(const DifferCommand &c);
};

} // namespace lio::test
