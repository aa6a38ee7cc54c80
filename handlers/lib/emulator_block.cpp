// SPDX-License-Identifier: MIT
#include "emulator.hpp"

#include <cstring>

namespace tcmu {

namespace {

/** FUA is bit 3 of the byte that holds RDPROTECT or WRPROTECT. */
constexpr uint8_t fua = 0x08;

/** BYTCHK (SBC-3 5.30). */
enum BytChk : uint8_t { medium_only = 0, compare_all = 1, reserved = 2, compare_one = 3 };

BytChk bytchk(const Cdb &cdb)
{
	return static_cast<BytChk>(cdb.u8(1) >> 1 & 3);
}

} // namespace

void BlockEmulator::read(Job &job)
{
	if (!check_transfer(job, 0))
		return;
	/* A data buffer that is too short gets what fits; the fabric tells the residual. */
	Segments data = job.command->data();
	uint64_t length = std::min<uint64_t>(job.length, data.size());

	job.request.offset = job.lba * config_.block_size;
	job.request.length = length;
	job.request.data = data;
	job.request.data_offset = 0;
	job.request.durable = false;
	job.request.error = 0;
	job.pass_length = length;
	if (length == 0)
		return read_done(job);
	/* FUA: what is read must be on the medium, so what is cached goes there first. */
	if (job.opcode->protect_at && job.cdb.u8(job.opcode->protect_at) & fua &&
	    config_.write_cache)
		return issue(job, StoreRequest::Kind::flush, &BlockEmulator::read_flushed);
	read_flushed(job);
}

/** What a read with FUA needed first is done. */
void BlockEmulator::read_flushed(Job &job)
{
	if (job.request.error)
		return fail_with_errno(job, job.request.error, true);
	if (direct(job, job.request.length))
		issue(job, StoreRequest::Kind::read, &BlockEmulator::read_done);
	else
		run_pass(job, Pass::read_to_data, &BlockEmulator::read_done);
}

void BlockEmulator::read_done(Job &job)
{
	size_t room = job.command->data().size();

	if (job.request.error)
		return fail_with_errno(job, job.request.error, false);
	if (room == job.pass_length)
		return finish(job, Reply::good());
	job.command->data().zero(job.pass_length, room - job.pass_length);
	finish(job, Reply::good_with_length(static_cast<uint32_t>(job.pass_length)));
}

void BlockEmulator::write(Job &job)
{
	if (!check_transfer(job, job.length))
		return;
	if (job.length == 0)
		return finish(job, Reply::good());
	uint64_t begin = job.lba * config_.block_size;
	lock(job, begin, begin + job.length, false, &BlockEmulator::write_locked);
}

/** Write the whole data buffer, or its part from data_offset on. */
void BlockEmulator::start_write(Job &job, size_t data_offset, Step next)
{
	job.request.offset = job.lba * config_.block_size;
	job.request.length = job.length;
	job.request.data = job.command->data();
	job.request.data_offset = data_offset;
	job.request.durable = !config_.write_cache ||
			      (job.opcode->protect_at && job.cdb.u8(job.opcode->protect_at) & fua);
	job.pass_length = job.length;
	if (direct(job, job.length))
		issue(job, StoreRequest::Kind::write, next);
	else
		run_pass(job, Pass::write_from_data, next);
}

void BlockEmulator::write_locked(Job &job)
{
	start_write(job, 0, &BlockEmulator::write_done);
}

void BlockEmulator::write_done(Job &job)
{
	if (job.request.error)
		return fail_with_errno(job, job.request.error, true);
	finish(job, Reply::good());
}

/**
 * SBC-3 5.44. The range is held until it is verified, so that another write
 * does not look like a miscompare.
 */
void BlockEmulator::write_and_verify(Job &job)
{
	if (bytchk(job.cdb) > compare_all)
		return fail(job, sense::invalid_field_in_cdb);
	if (!check_transfer(job, job.length))
		return;
	if (job.length == 0)
		return finish(job, Reply::good());
	uint64_t begin = job.lba * config_.block_size;
	lock(job, begin, begin + job.length, true, &BlockEmulator::write_and_verify_locked);
}

void BlockEmulator::write_and_verify_locked(Job &job)
{
	start_write(job, 0, &BlockEmulator::write_and_verify_written);
}

/** What is verified must be what is on the medium: flush, then read. */
void BlockEmulator::write_and_verify_written(Job &job)
{
	if (job.request.error)
		return fail_with_errno(job, job.request.error, true);
	issue(job, StoreRequest::Kind::flush, &BlockEmulator::verify_pass);
}

void BlockEmulator::verify(Job &job)
{
	BytChk check = bytchk(job.cdb);
	uint64_t needed = check == compare_all ? job.length
			  : check == compare_one ? config_.block_size
						 : 0;

	if (check == reserved)
		return fail(job, sense::invalid_field_in_cdb);
	if (!check_transfer(job, job.blocks ? needed : 0))
		return;
	job.request.error = 0;
	verify_pass(job);
}

void BlockEmulator::verify_pass(Job &job)
{
	static constexpr Pass passes[] = {Pass::read_only, Pass::compare, Pass::read_only,
					  Pass::compare_block};

	if (job.request.error)
		return fail_with_errno(job, job.request.error, true);
	job.request.offset = job.lba * config_.block_size;
	job.request.durable = false;
	job.request.data_offset = 0;
	job.pass_length = job.length;
	run_pass(job, passes[bytchk(job.cdb)], &BlockEmulator::passed);
}

void BlockEmulator::passed(Job &job)
{
	if (job.request.error)
		return fail_with_errno(job, job.request.error, false);
	finish(job, Reply::good());
}

/** SBC-3 5.3: the data buffer has the blocks to compare, then those to write. */
void BlockEmulator::compare_and_write(Job &job)
{
	if (!check_transfer(job, 2 * job.length))
		return;
	if (job.length > pass_buffer_size)
		return fail(job, sense::invalid_field_in_cdb);
	if (job.length == 0)
		return finish(job, Reply::good());
	uint64_t begin = job.lba * config_.block_size;
	lock(job, begin, begin + job.length, true, &BlockEmulator::compare_and_write_locked);
}

void BlockEmulator::compare_and_write_locked(Job &job)
{
	job.request.offset = job.lba * config_.block_size;
	job.request.durable = false;
	job.request.data_offset = 0;
	job.pass_length = job.length;
	run_pass(job, Pass::compare, &BlockEmulator::compare_and_write_compared);
}

void BlockEmulator::compare_and_write_compared(Job &job)
{
	if (job.request.error)
		return fail_with_errno(job, job.request.error, false);
	start_write(job, job.length, &BlockEmulator::write_done);
}

/**
 * SBC-3 5.18/5.19. The whole cache is flushed whatever range is named, and
 * IMMED is answered when it is done: later than it may be, never earlier.
 */
void BlockEmulator::synchronize_cache(Job &job)
{
	if (!check_range(job))
		return;
	/* Not the range of the slot's last command, which may lie beyond today's end. */
	job.request.offset = job.request.length = 0;
	issue(job, StoreRequest::Kind::flush, &BlockEmulator::write_done);
}

/**
 * A change that the store does not make durable by itself has been made: without
 * a write cache it must be, before it is reported.
 */
void BlockEmulator::settle(Job &job)
{
	if (job.request.error)
		return fail_with_errno(job, job.request.error, true);
	if (config_.write_cache)
		return finish(job, Reply::good());
	issue(job, StoreRequest::Kind::flush, &BlockEmulator::write_done);
}

/**
 * Go over pass_length bytes from request.offset on, a pass buffer at a time;
 * @p next follows with the first error, if any, in request.error.
 */
void BlockEmulator::run_pass(Job &job, Pass pass, Step next)
{
	job.pass = pass;
	job.after_pass = next;
	job.done = 0;
	job.pass_offset = job.request.offset;
	job.source_offset = job.request.data_offset;
	job.request.error = 0;
	if (job.pass_length == 0)
		return go(job, next);
	take_buffer(job, &BlockEmulator::pass_piece);
}

void BlockEmulator::pass_piece(Job &job)
{
	std::span<uint8_t> buffer = buffer_of(job);
	bool writes = job.pass == Pass::write_from_data || job.pass == Pass::write_buffer;

	job.piece = std::min<uint64_t>(buffer.size(), job.pass_length - job.done);
	if (job.pass == Pass::write_from_data)
		job.command->data().gather(job.source_offset + job.done, buffer.first(job.piece));
	/* The store moves whole blocks; only a read's last one may be cut short. */
	uint64_t whole = (job.piece + config_.block_size - 1) & ~uint64_t{config_.block_size - 1};
	job.buffer_list = {buffer.data(), whole};
	job.request.data = Segments({&job.buffer_list, 1}, whole);
	job.request.data_offset = 0;
	job.request.offset = job.pass_offset + job.done;
	job.request.length = whole;
	issue(job, writes ? StoreRequest::Kind::write : StoreRequest::Kind::read,
	      &BlockEmulator::pass_piece_done);
}

void BlockEmulator::pass_piece_done(Job &job)
{
	std::span<uint8_t> piece = buffer_of(job).first(job.piece);

	if (!job.request.error) {
		if (job.pass == Pass::read_to_data)
			job.command->data().scatter(job.done, piece);
		else if (!compare_piece(job, piece))
			return;
		job.done += job.piece;
	}
	if (!job.request.error && job.done < job.pass_length)
		return go(job, &BlockEmulator::pass_piece);
	give_buffer(job);
	go(job, job.after_pass);
}

/** False: the command has been answered with MISCOMPARE. */
bool BlockEmulator::compare_piece(Job &job, std::span<const uint8_t> piece)
{
	Segments data = job.command->data();
	std::optional<size_t> differs;

	if (job.pass == Pass::compare) {
		differs = data.mismatch(job.done, piece);
	} else if (job.pass == Pass::compare_block) {
		for (size_t at = 0; at < piece.size() && !differs; at += config_.block_size) {
			differs = data.mismatch(0, piece.subspan(at, config_.block_size));
			if (differs)
				*differs += at;
		}
	}
	if (!differs)
		return true;
	fail(job, sense::miscompare.with_information(static_cast<uint32_t>(job.done + *differs)));
	return false;
}

} // namespace tcmu
