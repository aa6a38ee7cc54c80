// SPDX-License-Identifier: MIT
#include "emulator.hpp"

namespace tcmu {

void BlockEmulator::test_unit_ready(Job &job)
{
	finish(job, Reply::good());
}

/** Nothing is ever pending: sense goes out with the status it belongs to. */
void BlockEmulator::request_sense(Job &job)
{
	std::array<uint8_t, fixed_sense_length> bytes{};
	DataIn data;
	bool descriptor = job.cdb.bit(1, 0);
	size_t length = descriptor
				? encode_descriptor_sense(sense::none,
							  std::span(bytes).first<descriptor_sense_length>())
				: encode_fixed_sense(sense::none, bytes);

	data.append(std::span(bytes).first(length));
	finish_data_in(job, data, job.cdb.u8(4));
}

/** SBC-3 5.25: the unit is always started; other power conditions are not offered. */
void BlockEmulator::start_stop(Job &job)
{
	uint8_t power_condition = job.cdb.u8(4) >> 4;
	bool eject = job.cdb.bit(4, 1);
	bool begin = job.cdb.bit(4, 0);

	if (power_condition != 0 || eject || !begin)
		return fail(job, sense::invalid_field_in_cdb);
	finish(job, Reply::good());
}

void BlockEmulator::read_capacity_10(Job &job)
{
	DataIn data;

	/* Without PMI there is no LBA to ask about (SBC-3 5.15). */
	if (!job.cdb.bit(8, 0) && job.lba != 0)
		return fail(job, sense::invalid_field_in_cdb);
	data.put(std::min<uint64_t>(config_.blocks - 1, UINT32_MAX), 4);
	data.put(config_.block_size, 4);
	finish_data_in(job, data, UINT64_MAX);
}

void BlockEmulator::read_capacity_16(Job &job)
{
	constexpr uint8_t lbpme = 0x80, lbprz = 0x40;
	uint32_t physical = std::max<uint32_t>(4096, config_.block_size);
	uint8_t exponent = 0;
	DataIn data;

	while (config_.block_size << exponent < physical)
		exponent++;
	data.put(config_.blocks - 1, 8);
	data.put(config_.block_size, 4);
	data.put(0, 1);
	data.put(exponent, 1);
	data.put(store_->traits().discards ? lbpme | lbprz : 0, 1);
	data.zeroes(32 - data.size());
	finish_data_in(job, data, job.cdb.be(10, 4));
}

/** SBC-3 5.7. */
void BlockEmulator::get_lba_status(Job &job)
{
	constexpr unsigned max_descriptors = 64;
	constexpr uint8_t mapped = 0, deallocated = 1;
	uint64_t allocation = job.cdb.be(10, 4);
	uint64_t lba = job.lba;
	DataIn data;

	if (lba >= config_.blocks)
		return fail(job, sense::lba_out_of_range);
	data.zeroes(8);
	for (unsigned i = 0; i < max_descriptors && lba < config_.blocks; i++) {
		uint64_t rest = (config_.blocks - lba) * config_.block_size;
		StoreExtent extent = store_->extent(lba * config_.block_size, rest);
		/* A block that is only partly there is there. */
		uint64_t blocks = (extent.length + (extent.mapped ? config_.block_size - 1 : 0)) /
				  config_.block_size;
		blocks = std::clamp<uint64_t>(blocks, 1, std::min<uint64_t>(config_.blocks - lba,
									    UINT32_MAX));
		data.put(lba, 8);
		data.put(blocks, 4);
		data.put(extent.mapped ? mapped : deallocated, 1);
		data.zeroes(3);
		lba += blocks;
		if (data.size() >= allocation)
			break;
	}
	data.set(0, data.size() - 4, 4);
	finish_data_in(job, data, allocation);
}

} // namespace tcmu
