// SPDX-License-Identifier: GPL-2.0
// What a logical unit answers, checked field by field against SPC-4 and SBC-3 (of SBC-4 what initiators
// use): lengths, bits that the standard reserves, codes that it does not define, and answers that
// contradict each other. Written from the standards alone. Pure logic.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "cdb.hpp"

namespace lio::test::decode {

using Bytes = std::span<const uint8_t>;

/// What is wrong, one line each.
using Findings = std::vector<std::string>;

/// Reads fields of a structure and tells what of it is not as it must be.
class Reader {
	std::string name_;
	Bytes bytes_;
	Findings &out_;

public:
	Reader(std::string name, Bytes bytes, Findings &out) : name_(std::move(name)), bytes_(bytes), out_(out) {}
	size_t size() const { return bytes_.size(); }
	Bytes bytes() const { return bytes_; }
	bool has(size_t at, size_t width = 1) const { return at + width <= size(); }
	/// Big-endian; 0 where the answer was cut.
	uint64_t be(size_t at, size_t width) const { return has(at, width) ? get_be(bytes_.subspan(at, width)) : 0; }
	/// Bits @high to @low of a byte.
	unsigned bits(size_t at, unsigned high, unsigned low) const
	{
		return unsigned(be(at, 1)) >> low & ((2u << (high - low)) - 1);
	}
	bool bit(size_t at, unsigned n) const { return bits(at, n, n); }
	void fail(const std::string &what) const { out_.push_back(name_ + ": " + what); }
	void check(bool ok, const std::string &what) const
	{
		if (!ok)
			fail(what);
	}
	/// @meanings has the bits of each byte that have a meaning; all others, and all bytes behind, must be 0.
	void only(const std::vector<uint8_t> &meanings) const;
	/// The structure has just this many bytes, unless the answer was cut.
	void length(size_t want) const;
	/// Printable, left-aligned, padded with spaces; with @nul_end perhaps NULs at the end (SPC-4 4.4.1).
	void ascii(size_t at, size_t width, bool nul_end = false) const;
	/// @len bytes from @at, or what there is of them.
	Reader part(const std::string &name, size_t at, size_t len) const;
	Findings &out() const { return out_; }
};

struct Opcode {
	uint16_t service_action = 0;
	bool has_sa = false;
	uint16_t length = 0;
	auto operator<=>(const Opcode &) const = default;
};
/// Operation code and, where it has those, service action (else -1).
using Command = std::pair<uint8_t, int>;
std::string str(const Command &command);

struct ModePage {
	std::vector<uint8_t> current, changeable, defaults;
};

/// What was found in whole answers.
struct Facts {
	std::optional<unsigned> device_type, protocol, relative_port;
	std::set<uint16_t> versions; ///< version descriptors
	bool protect = false, multip = false, third_party = false;
	unsigned tpgs = 0;
	std::string vendor;
	std::optional<std::set<uint8_t>> vpd_pages, vpd_seen;
	std::optional<std::string> serial;
	std::set<std::string> t10_ids;
	std::optional<bool> v_sup;
	struct Limits {
		bool wsnz;
		unsigned max_caw;
		uint64_t granularity, max_transfer, optimal, max_prefetch, max_unmap, max_unmap_descs, unmap_granularity,
			unmap_alignment, max_write_same, max_atomic;
	};
	std::optional<Limits> limits;
	struct Provisioning {
		unsigned threshold;
		bool lbpu, lbpws, lbpws10, lbprz, anc_sup;
		unsigned type;
	};
	std::optional<Provisioning> provisioning;
	std::optional<unsigned> wabereq;
	struct Capacity {
		uint64_t last;
		uint32_t block;
		bool lbpme, lbprz, prot_en;
	};
	std::optional<Capacity> capacity;
	std::optional<std::pair<uint32_t, uint32_t>> capacity10; ///< last block and block length
	std::map<uint8_t, ModePage> mode_pages;
	std::optional<bool> dpofua;
	std::optional<uint64_t> descriptor_block; ///< block length of the mode block descriptor
	std::optional<std::set<uint8_t>> log_pages, log_seen;
	std::optional<std::map<Command, unsigned>> opcodes; ///< with the length of the CDB
	std::map<Command, std::vector<uint8_t>> usage;
	std::set<Command> unsupported; ///< told so by the one-command form
};

/// Checks what @cdb was answered with. False: the decoder does not know such an answer.
bool answer(const Cdb &cdb, Bytes bytes, Facts &facts, Findings &out);
/// Is it a command whose answer answer() knows, data-in as it may be?
bool known(const Cdb &cdb);
/// What a command without data-in, or one that sends data, may ask for: against the usage data.
void request(const Cdb &cdb, const Facts &facts, Findings &out);
/// Answers that contradict each other.
void consistency(const Facts &facts, Findings &out);

// One answer each, for answer().
void inquiry(Reader r, size_t alloc, Facts &facts);
void vpd(Reader r, uint8_t page, size_t alloc, Facts &facts);
void designators(const Reader &r, size_t from, size_t to, Facts &facts);
void mode_sense(Reader r, const Cdb &cdb, Facts &facts);
void log_sense(Reader r, const Cdb &cdb, Facts &facts);
void report_opcodes(Reader r, const Cdb &cdb, Facts &facts);
void report_tmfs(Reader r, const Cdb &cdb);
void read_capacity10(Reader r, Facts &facts);
void read_capacity16(Reader r, size_t alloc, Facts &facts);
void lba_status(Reader r, const Cdb &cdb, const Facts &facts);
void report_luns(Reader r, size_t alloc);
void request_sense(Reader r, const Cdb &cdb);
void read_buffer(Reader r, const Cdb &cdb);
void defect_data(Reader r, const Cdb &cdb);
void diagnostic(Reader r, size_t alloc);

/// The answer's own length @whole, or the allocation length where that is less, must be what came.
void cut_at(const Reader &r, size_t whole, size_t alloc);

} // namespace lio::test::decode
