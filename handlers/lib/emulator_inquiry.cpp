// SPDX-License-Identifier: MIT
#include "emulator.hpp"

namespace tcmu {

namespace {

/** Version descriptors: SAM-5, SPC-4, SBC-3 (SPC-4 table 153). */
constexpr uint16_t version_descriptors[] = {0x00a0, 0x0460, 0x04c0};

int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/**
 * NAA IEEE Registered Extended (SPC-4 7.8.6.6.5): company id, then the serial's
 * first 25 hexadecimal digits, as the kernel's own backstores make it.
 */
std::array<uint8_t, 16> naa_identifier(const Identity &identity)
{
	std::array<uint8_t, 16> naa{};
	unsigned nibble = 7;
	auto put = [&](unsigned at, unsigned value) {
		naa[at / 2] |= static_cast<uint8_t>(at % 2 ? value : value << 4);
	};

	put(0, 6);
	for (unsigned i = 0; i < 6; i++)
		put(1 + i, identity.company_id >> (20 - 4 * i) & 0xf);
	for (char c : identity.serial) {
		int digit = hex_digit(c);
		if (digit >= 0 && nibble < 32)
			put(nibble++, static_cast<unsigned>(digit));
	}
	return naa;
}

} // namespace

void BlockEmulator::inquiry(Job &job)
{
	bool evpd = job.cdb.bit(1, 0);
	uint8_t page = job.cdb.u8(2);
	DataIn data;

	if (!evpd && page == 0)
		standard_inquiry(data);
	else if (!evpd || !vital_product_data(page, data))
		return fail(job, sense::invalid_field_in_cdb);
	finish_data_in(job, data, job.cdb.be(3, 2));
}

/** SPC-4 6.6.2. */
void BlockEmulator::standard_inquiry(DataIn &data) const
{
	constexpr uint8_t spc4 = 0x06, hisup_format2 = 0x12, cmdque = 0x02;

	data.put(0x00, 1); /* a connected direct access block device */
	data.put(0x00, 1);
	data.put(spc4, 1);
	data.put(hisup_format2, 1);
	data.put(0, 1);
	data.put(0, 2);
	data.put(cmdque, 1);
	data.text(config_.identity.vendor, 8);
	data.text(config_.identity.product, 16);
	data.text(config_.identity.revision, 4);
	data.zeroes(22);
	for (uint16_t version : version_descriptors)
		data.put(version, 2);
	data.set(4, data.size() - 5, 1);
}

bool BlockEmulator::vital_product_data(uint8_t page, DataIn &data) const
{
	struct Page {
		uint8_t code;
		void (BlockEmulator::*write)(DataIn &) const;
	};
	static constexpr Page pages[] = {
		{0x00, nullptr},
		{0x80, &BlockEmulator::vpd_serial},
		{0x83, &BlockEmulator::vpd_identification},
		{0xb0, &BlockEmulator::vpd_block_limits},
		{0xb1, &BlockEmulator::vpd_characteristics},
		{0xb2, &BlockEmulator::vpd_provisioning},
	};

	for (const Page &known : pages) {
		if (known.code != page)
			continue;
		data.put(0x00, 1);
		data.put(page, 1);
		data.put(0, 2);
		if (!known.write)
			for (const Page &listed : pages)
				data.put(listed.code, 1);
		else
			(this->*known.write)(data);
		data.set(2, data.size() - 4, 2);
		return true;
	}
	return false;
}

/** Unit serial number (SPC-4 7.8.15). */
void BlockEmulator::vpd_serial(DataIn &data) const
{
	data.text(config_.identity.serial, config_.identity.serial.size());
}

/** Device identification (SPC-4 7.8.6). */
void BlockEmulator::vpd_identification(DataIn &data) const
{
	constexpr uint8_t binary = 0x01, ascii = 0x02, type_t10 = 0x01, type_naa = 0x03;
	const Identity &identity = config_.identity;
	std::string id = identity.product + ":" +
			 (identity.serial.empty() ? config_.name : identity.serial);

	if (!identity.serial.empty()) {
		data.put(binary, 1);
		data.put(type_naa, 1);
		data.put(0, 1);
		data.put(16, 1);
		data.append(naa_identifier(identity));
	}
	id.resize(std::min<size_t>(id.size(), 255 - 8));
	data.put(ascii, 1);
	data.put(type_t10, 1);
	data.put(0, 1);
	data.put(8 + id.size(), 1);
	data.text(identity.vendor, 8);
	data.text(id, id.size());
}

/** Block limits (SBC-3 6.5.3). */
void BlockEmulator::vpd_block_limits(DataIn &data) const
{
	constexpr uint8_t wsnz = 0x01;
	bool thin = store_->traits().discards;

	data.put(wsnz, 1);
	data.put(std::min<size_t>(pass_buffer_size / config_.block_size, 255), 1);
	/* Optimal granularity: what the storage likes best. */
	data.put(std::max<uint32_t>(4096 / config_.block_size, 1), 2);
	data.put(config_.max_transfer_blocks, 4);
	data.put(config_.max_transfer_blocks, 4);
	data.put(0, 4);
	data.put(thin ? max_unmap_blocks : 0, 4);
	data.put(thin ? max_unmap_descriptors : 0, 4);
	data.put(thin ? std::max<uint32_t>(4096 / config_.block_size, 1) : 0, 4);
	data.put(0, 4);
	data.put(max_write_same_blocks, 8);
	data.zeroes(64 - data.size());
}

/** Block device characteristics (SBC-3 6.5.2): not a rotating medium. */
void BlockEmulator::vpd_characteristics(DataIn &data) const
{
	data.put(1, 2);
	data.zeroes(58);
}

/** Logical block provisioning (SBC-3 6.5.4). */
void BlockEmulator::vpd_provisioning(DataIn &data) const
{
	constexpr uint8_t lbpu = 0x80, lbpws = 0x40, lbpws10 = 0x20, lbprz = 0x04;
	constexpr uint8_t thin_provisioned = 2;
	bool thin = store_->traits().discards;

	data.put(0, 1);
	data.put(thin ? lbpu | lbpws | lbpws10 | lbprz : 0, 1);
	data.put(thin ? thin_provisioned : 0, 1);
	data.put(0, 1);
}

} // namespace tcmu
