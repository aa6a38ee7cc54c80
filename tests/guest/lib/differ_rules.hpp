// SPDX-License-Identifier: GPL-2.0
// What tests/conformance/scsi*/differences.json say: which commands go where, and how the answers of
// the distribution's target and ours may differ. Pure logic.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "differ_maker.hpp"
#include "result.hpp"

namespace lio::test {

/// Bits of a CDB that must have a value.
struct CdbBits {
	uint8_t byte = 0, mask = 0xff, value = 0;
};

/// Some commands: operation code, service action where there are any, bits and direction.
struct DifferMatch {
	uint8_t opcode = 0;
	std::optional<uint16_t> service_action;
	std::vector<CdbBits> bits;
	std::optional<Data::Direction> direction;
	bool overflow = false; ///< the buffer must be there, and smaller than what the CDB transfers
	std::vector<uint8_t> usage; ///< not empty: a bit outside these, byte by byte, must be set

	/// By operation code and service action alone.
	bool names(const DifferCommand &c) const;
	bool matches(const DifferCommand &c) const;
	std::string str() const;
};

/// Is a bit set in @cdb that is not in @usage?
bool outside_usage(const Cdb &cdb, std::span<const uint8_t> usage);

/// Where a command is sent to and who says what the answer has to be.
enum class Route : uint8_t {
	both, ///< the answers are compared with each other
	model, ///< the distribution's target lacks it: ours is compared with the standard
	later, ///< ours does not have it yet and must say so; only the distribution's has
	ours, ///< the distribution's target breaks: only ours gets it, and must answer
	reserved, ///< reserved bits are set, which only ours refuses
};

struct RouteRule {
	DifferMatch match;
	Route route = Route::both;
	std::vector<std::string> answers; ///< any of these. model: the distribution's; else ours
	std::string reason, client;
	DifferExample example;
};

/// One reviewed difference: exactly one field of one command.
struct DifferEntry {
	DifferMatch match;
	/// "answer", "transferred", "information" or "data N", a byte of the data; "data N-M", these bytes
	std::string field;
	std::string stock, ours;
	std::string kernel; ///< "6.12", "6.1" or "any"
	std::string reason, client;
	DifferExample example;
};

struct DifferRules {
	std::vector<RouteRule> routes;
	std::vector<DifferMatch> free_data; ///< the standard leaves to the device what it returns
	std::vector<DifferEntry> differences;

	const RouteRule *route_of(const DifferCommand &c) const; ///< nullptr: both
	/// The rule that has the bits that may be set; nullptr: none.
	const RouteRule *usage_rule_of(const DifferCommand &c) const;
	/// The bits that the standard has in a CDB; empty: the command is not in the data file.
	std::span<const uint8_t> usage_of(const DifferCommand &c) const;
	/// Does it return blocks of the medium?
	static bool reads_blocks(const DifferCommand &c);
	bool has_free_data(const DifferCommand &c) const;
	std::vector<DifferExample> examples() const;
};

/// @differences: scsi/differences.json; @apart: scsi-apart/differences.json.
Result<DifferRules> parse_differ_rules(std::string_view differences, std::string_view apart);
/// Both files of the directory tests/conformance, and a hash of them.
Result<DifferRules> load_differ_rules(const std::string &conformance, uint64_t *hash = nullptr);

} // namespace lio::test
