// SPDX-License-Identifier: GPL-2.0
// Command descriptor blocks, built with named fields (SPC-5, SBC-4).
#pragma once

#include <array>
#include <cstdint>
#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>

namespace lio::test {

/// Big-endian numbers of any width up to 8 bytes.
uint64_t get_be(std::span<const uint8_t> bytes);
void put_be(std::span<uint8_t> bytes, uint64_t value);

class Cdb {
	std::array<uint8_t, 260> bytes_{};
	size_t len_ = 0;

public:
	Cdb() = default;
	explicit Cdb(size_t len) : len_(len) {}
	Cdb(std::initializer_list<uint8_t> raw);

	size_t size() const { return len_; }
	const uint8_t *data() const { return bytes_.data(); }
	uint8_t operator[](size_t i) const { return bytes_[i]; }
	uint8_t &operator[](size_t i) { return bytes_[i]; }
	/// Put a big-endian @value of @width bytes at @at; chains.
	Cdb &be(size_t at, size_t width, uint64_t value);
	Cdb &bits(size_t at, uint8_t or_mask);
	std::string hex() const;
};

/// The bits of byte 1 (or 10 of the 32-byte forms) of READ, WRITE, VERIFY and friends.
struct RwFlags {
	bool dpo = false, fua = false;
	uint8_t protect = 0; ///< RDPROTECT, WRPROTECT or VRPROTECT
	uint8_t byte() const { return uint8_t(protect << 5 | dpo << 4 | fua << 3); }
};

namespace cdb {

// READ and WRITE by the length of their CDB: 6, 10, 12, 16 or 32.
Cdb read(int form, uint64_t lba, uint32_t blocks, RwFlags flags = {});
Cdb write(int form, uint64_t lba, uint32_t blocks, RwFlags flags = {});
/// @bytchk 0 medium check only, 1 compare with all data sent, 3 compare with one block.
Cdb verify(int form, uint64_t lba, uint32_t blocks, uint8_t bytchk = 0, RwFlags flags = {});
Cdb write_and_verify(int form, uint64_t lba, uint32_t blocks, uint8_t bytchk = 0, RwFlags flags = {});

struct WriteSameFlags {
	bool unmap = false, anchor = false, ndob = false;
	uint8_t protect = 0;
};
Cdb write_same(int form, uint64_t lba, uint32_t blocks, WriteSameFlags flags = {});
Cdb compare_and_write(uint64_t lba, uint8_t blocks, RwFlags flags = {});
Cdb sync_cache(int form, uint64_t lba = 0, uint32_t blocks = 0, bool immed = false);
Cdb unmap(uint16_t list_len, bool anchor = false);
Cdb read_capacity10();
Cdb read_capacity16(uint32_t alloc = 32);
Cdb get_lba_status(uint64_t lba, uint32_t alloc);

Cdb test_unit_ready();
Cdb inquiry(uint16_t alloc = 255);
Cdb inquiry_vpd(uint8_t page, uint16_t alloc = 255);
Cdb request_sense(uint8_t alloc = 252, bool descriptor = false);
Cdb mode_sense(int form, uint8_t page, uint8_t subpage = 0, uint16_t alloc = 255, uint8_t pc = 0,
	       bool dbd = false);
Cdb mode_select(int form, uint16_t list_len, bool page_format = true, bool save = false);
Cdb report_luns(uint32_t alloc = 4096, uint8_t select = 0);
Cdb rsoc(uint32_t alloc = 8192, bool rctd = false);
Cdb rsoc_one(uint8_t opcode, uint16_t service_action, uint8_t options, uint32_t alloc = 256);
Cdb rtpg(uint32_t alloc = 4096, bool extended = false);
Cdb stpg(uint32_t list_len);
Cdb pr_in(uint8_t service_action, uint16_t alloc = 4096);
Cdb pr_out(uint8_t service_action, uint8_t type, uint32_t list_len = 24, uint8_t scope = 0);
Cdb reserve6();
Cdb release6();
Cdb start_stop(bool start, bool immed = false);

} // namespace cdb

} // namespace lio::test
