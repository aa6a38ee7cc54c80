// SPDX-License-Identifier: MIT
#include "emulator.hpp"

#include <cstring>

namespace tcmu {

namespace {

constexpr size_t unmap_header_length = 8;
constexpr size_t unmap_descriptor_length = 16;

/** Bits of byte 1 of WRITE SAME (SBC-3 5.46, 5.47). */
constexpr uint8_t ws_anchor = 0x10, ws_unmap = 0x08, ws_pbdata_lbdata = 0x06, ws_ndob = 0x01;

bool all_zero(std::span<const uint8_t> bytes)
{
	/* Every byte equals the one before it, and the first is zero. */
	return bytes.empty() || (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1,
							      bytes.size() - 1) == 0);
}

} // namespace

bool BlockEmulator::check_write_same(Job &job)
{
	uint8_t bits = job.cdb.u8(1);
	bool ndob = job.cdb.size() == 16 && bits & ws_ndob;
	/* 0 blocks would mean the rest of the device; WSNZ says that we do not do that. */
	bool bad_length = job.blocks == 0 || job.blocks > max_write_same_blocks;
	bool bad_unmap = bits & ws_unmap && !store_->traits().discards;

	if (!check_range(job))
		return false;
	if (bits & (ws_anchor | ws_pbdata_lbdata) || bad_length || bad_unmap ||
	    (job.cdb.size() != 16 && bits & ws_ndob) ||
	    (!ndob && job.command->data().size() < config_.block_size)) {
		fail(job, sense::invalid_field_in_cdb);
		return false;
	}
	return true;
}

void BlockEmulator::write_same(Job &job)
{
	uint64_t begin = job.lba * config_.block_size;

	if (check_write_same(job))
		lock(job, begin, begin + job.length, false, &BlockEmulator::write_same_locked);
}

void BlockEmulator::write_same_locked(Job &job)
{
	job.request.offset = job.lba * config_.block_size;
	job.request.length = job.length;
	job.request.durable = !config_.write_cache;
	job.request.data_offset = 0;
	job.pass_length = job.length;
	take_buffer(job, &BlockEmulator::write_same_fill);
}

/** Zeroes are the store's to make; another block is written again and again. */
void BlockEmulator::write_same_fill(Job &job)
{
	std::span<uint8_t> buffer = buffer_of(job);
	size_t block = config_.block_size;
	bool ndob = job.cdb.size() == 16 && job.cdb.u8(1) & ws_ndob;

	if (!ndob)
		job.command->data().gather(0, buffer.first(block));
	if (ndob || all_zero(buffer.first(block))) {
		bool unmaps = job.cdb.u8(1) & ws_unmap;
		give_buffer(job);
		return issue(job, unmaps ? StoreRequest::Kind::discard : StoreRequest::Kind::zero,
			     &BlockEmulator::settle);
	}
	for (size_t at = block; at < std::min<uint64_t>(buffer.size(), job.length); at += block)
		std::memcpy(&buffer[at], buffer.data(), block);
	job.pass = Pass::write_buffer;
	job.after_pass = &BlockEmulator::write_done;
	job.done = 0;
	job.pass_offset = job.request.offset;
	job.request.error = 0;
	go(job, &BlockEmulator::pass_piece);
}

/**
 * Check the parameter list (SBC-3 5.28.2) of @p length bytes before anything is
 * unmapped, and find the range that covers it. False: answered.
 */
bool BlockEmulator::check_unmap_list(Job &job, size_t length)
{
	std::array<uint8_t, unmap_descriptor_length> bytes;
	Segments data = job.command->data();
	auto refuse = [&](const Sense &sense) {
		fail(job, sense);
		return false;
	};

	data.gather(0, std::span(bytes).first(unmap_header_length));
	/* An incomplete descriptor at the end is ignored. */
	size_t count = get_be(&bytes[2], 2) / unmap_descriptor_length;
	if (count * unmap_descriptor_length > length - unmap_header_length)
		return refuse(sense::parameter_list_length);
	if (count > max_unmap_descriptors)
		return refuse(sense::invalid_field_in_parameters);
	job.unmap_count = static_cast<uint32_t>(count);
	job.unmap_next = 0;
	job.begin = UINT64_MAX;
	job.end = 0;
	uint64_t total = 0;
	for (size_t i = 0; i < count; i++) {
		auto [lba, blocks] = unmap_descriptor(job, i);
		if (lba > config_.blocks || blocks > config_.blocks - lba)
			return refuse(sense::lba_out_of_range);
		total += blocks;
		job.begin = std::min(job.begin, lba * config_.block_size);
		job.end = std::max(job.end, (lba + blocks) * config_.block_size);
	}
	if (total > max_unmap_blocks)
		return refuse(sense::invalid_field_in_parameters);
	return true;
}

BlockEmulator::UnmapDescriptor BlockEmulator::unmap_descriptor(const Job &job, size_t index)
{
	std::array<uint8_t, unmap_descriptor_length> bytes{};

	job.command->data().gather(unmap_header_length + index * unmap_descriptor_length, bytes);
	return {get_be(&bytes[0], 8), get_be(&bytes[8], 4)};
}

void BlockEmulator::unmap(Job &job)
{
	constexpr uint8_t anchor = 0x01;
	size_t length = job.cdb.be(7, 2);

	if (job.cdb.u8(1) & anchor)
		return fail(job, sense::invalid_field_in_cdb);
	if (length == 0)
		return finish(job, Reply::good());
	if (length < unmap_header_length || job.command->data().size() < length)
		return fail(job, sense::parameter_list_length);
	if (!check_unmap_list(job, length))
		return;
	if (job.unmap_count == 0)
		return finish(job, Reply::good());
	job.request.error = 0;
	lock(job, job.begin, job.end, false, &BlockEmulator::unmap_next);
}

/** One descriptor after the other; the first error ends it. */
void BlockEmulator::unmap_next(Job &job)
{
	if (job.request.error || job.unmap_next == job.unmap_count)
		return settle(job);
	/*
	 * The list is in memory that another process could write to: what was
	 * checked is checked again before it is used.
	 */
	auto [lba, blocks] = unmap_descriptor(job, job.unmap_next++);
	if (lba > config_.blocks || blocks > config_.blocks - lba)
		return fail(job, sense::lba_out_of_range);
	if (blocks == 0)
		return go(job, &BlockEmulator::unmap_next);
	job.request.offset = lba * config_.block_size;
	job.request.length = blocks * config_.block_size;
	issue(job, StoreRequest::Kind::discard, &BlockEmulator::unmap_next);
}

} // namespace tcmu
