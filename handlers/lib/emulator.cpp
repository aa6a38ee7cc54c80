// SPDX-License-Identifier: MIT
#include "emulator.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

namespace tcmu {

Status BlockStore::prepare(uint32_t, std::span<std::byte>)
{
	return {};
}

StoreExtent BlockStore::extent(uint64_t, uint64_t length)
{
	return {length, true};
}

Status BlockStore::poll(Device &device, bool may_block)
{
	if (!may_block)
		return {};
	Result<bool> event = device.uio().wait();
	return event ? Status() : Status(event.error());
}

Result<BlockDeviceConfig> read_block_device_config(const Device &device)
{
	const ConfigfsDevice &configfs = device.configfs();
	BlockDeviceConfig config;
	Result<uint64_t> block_size = configfs.read_number("attrib/hw_block_size");
	Result<uint64_t> size = configfs.read_number("attrib/dev_size");
	Result<uint64_t> sectors = configfs.read_number("attrib/hw_max_sectors");
	Result<uint64_t> cache = configfs.read_number("attrib/emulate_write_cache");

	for (const Result<uint64_t> *needed : {&block_size, &size, &sectors, &cache})
		if (!*needed)
			return needed->error();
	config.block_size = static_cast<uint32_t>(*block_size);
	config.blocks = *block_size ? *size / *block_size : 0;
	config.max_transfer_blocks = static_cast<uint32_t>(*sectors);
	config.write_cache = *cache != 0;
	config.identity = read_identity(configfs);
	config.name = device.info().name.path();
	return config;
}

void BlockEmulator::Queue::push(Job &job)
{
	job.link = nullptr;
	(last ? last->link : first) = &job;
	last = &job;
}

BlockEmulator::Job *BlockEmulator::Queue::pop()
{
	Job *job = first;

	if (job) {
		first = job->link;
		if (!first)
			last = nullptr;
	}
	return job;
}

Result<std::unique_ptr<BlockEmulator>>
BlockEmulator::create(BlockDeviceConfig config, std::unique_ptr<BlockStore> store, uint32_t depth)
{
	const StoreTraits &traits = store->traits();
	auto bad = [&](const std::string &what) { return Error{EINVAL, config.name + ": " + what}; };

	if (config.block_size < 512 || config.block_size > 65536 ||
	    config.block_size & (config.block_size - 1))
		return bad("block size " + std::to_string(config.block_size) +
			   " is not a power of two from 512 to 65536");
	if (config.block_size % traits.block_alignment)
		return bad("block size " + std::to_string(config.block_size) +
			   " is not a multiple of the " + std::to_string(traits.block_alignment) +
			   " bytes its storage needs");
	std::unique_ptr<BlockEmulator> emulator(
		new BlockEmulator(std::move(config), std::move(store), depth));
	if (Status sized = emulator->use_size(emulator->config_.blocks * emulator->config_.block_size);
	    !sized)
		return sized.error();
	std::span<std::byte> buffers(emulator->buffers_.get(), pass_buffer_size * pass_buffer_count);
	if (Status prepared = emulator->store_->prepare(depth, buffers); !prepared)
		return prepared.error();
	return emulator;
}

BlockEmulator::BlockEmulator(BlockDeviceConfig config, std::unique_ptr<BlockStore> store,
			     uint32_t depth)
	: config_(std::move(config)), store_(std::move(store)), jobs_(depth),
	  buffers_(static_cast<std::byte *>(std::aligned_alloc(pass_buffer_alignment,
							       pass_buffer_size * pass_buffer_count)),
		   std::free)
{
	if (!buffers_)
		throw std::bad_alloc();
	/* Touched, so present and locked. */
	std::memset(buffers_.get(), 0, pass_buffer_size * pass_buffer_count);
	for (uint32_t i = 0; i < pass_buffer_count; i++)
		free_buffers_.push_back(i);
	for (uint32_t i = 0; i < depth; i++)
		jobs_[i].request.slot = i;
	store_->on_finished([this](StoreRequest &request) {
		drive(jobs_[request.slot]);
		run_granted();
	});
}

BlockEmulator::~BlockEmulator() = default;

Status BlockEmulator::use_size(uint64_t bytes)
{
	if (bytes < config_.block_size)
		return Error{EINVAL, config_.name + ": size is less than a block"};
	if (Status done = store_->resize(bytes); !done)
		return done;
	config_.blocks = bytes / config_.block_size;
	return {};
}

Status BlockEmulator::reconfigure(const Reconfiguration &change)
{
	if (change.size)
		return use_size(*change.size);
	if (change.write_cache) {
		config_.write_cache = *change.write_cache;
		return {};
	}
	return Error{EOPNOTSUPP, config_.name + ": the storage cannot be changed while in use"};
}

Status BlockEmulator::poll(Device &device, bool may_block)
{
	return store_->poll(device, may_block);
}

void BlockEmulator::submit(Command &command)
{
	Job &job = jobs_[command.slot()];

	job.command = &command;
	job.cdb = command.cdb();
	job.opcode = find(job.cdb);
	if (!job.opcode || !enabled(*job.opcode)) {
		bool code_known = false;
		if (!job.opcode)
			find(job.cdb.opcode(), 0, code_known);
		/* A known opcode's unknown service action is a field (SPC-4 4.3.4.1). */
		command.complete(Reply::check_condition(code_known ? sense::invalid_field_in_cdb
								   : sense::invalid_opcode));
		return;
	}
	decode(job);
	if (job.opcode->flags & Opcode::writes && store_->traits().read_only) {
		command.complete(Reply::check_condition(sense::write_protected));
		return;
	}
	if (job.opcode->protect_at && job.cdb.u8(job.opcode->protect_at) & 0xe0) {
		command.complete(Reply::check_condition(sense::invalid_field_in_cdb));
		return;
	}
	go(job, job.opcode->run);
	drive(job);
	if (granted_.first)
		run_granted();
}

/** Run @p job's steps until one has to wait, or the command is answered. */
void BlockEmulator::drive(Job &job)
{
	do {
		job.ready = false;
		(this->*job.next)(job);
	} while (job.ready);
}

/** Jobs that got a lock or a buffer while another one ran. */
void BlockEmulator::run_granted()
{
	while (Job *job = granted_.pop())
		drive(*job);
}

void BlockEmulator::go(Job &job, Step next)
{
	job.next = next;
	job.ready = true;
}

/** Start job.request; @p next sees its result in job.request.error. */
void BlockEmulator::issue(Job &job, StoreRequest::Kind kind, Step next)
{
	job.request.kind = kind;
	job.next = next;
	job.ready = store_->start(job.request);
}

void BlockEmulator::lock(Job &job, uint64_t begin, uint64_t end, bool exclusive, Step next)
{
	job.begin = begin;
	job.end = end;
	job.exclusive = exclusive;
	job.next = next;
	job.ready = locks_.acquire(job);
}

void BlockEmulator::take_buffer(Job &job, Step next)
{
	job.next = next;
	if (free_buffers_.empty()) {
		buffer_waiters_.push(job);
		return;
	}
	job.buffer = static_cast<int>(free_buffers_.back());
	free_buffers_.pop_back();
	job.ready = true;
}

void BlockEmulator::give_buffer(Job &job)
{
	if (Job *waiter = buffer_waiters_.pop()) {
		waiter->buffer = job.buffer;
		granted_.push(*waiter);
	} else {
		free_buffers_.push_back(static_cast<uint32_t>(job.buffer));
	}
	job.buffer = -1;
}

std::span<uint8_t> BlockEmulator::buffer_of(const Job &job)
{
	auto *base = reinterpret_cast<uint8_t *>(buffers_.get());

	return {base + static_cast<size_t>(job.buffer) * pass_buffer_size, pass_buffer_size};
}

/** The one end of every job. */
void BlockEmulator::finish(Job &job, const Reply &reply)
{
	if (job.buffer >= 0)
		give_buffer(job);
	if (job.held) {
		locks_.release(job, [this](RangeLocks::Range &waiter) {
			granted_.push(static_cast<Job &>(waiter));
		});
	}
	job.command->complete(reply);
}

void BlockEmulator::fail(Job &job, const Sense &sense)
{
	finish(job, Reply::check_condition(sense));
}

/** The storage's error, as the initiator must see it. */
void BlockEmulator::fail_with_errno(Job &job, int error, bool writing)
{
	if (log_limit_.allow()) {
		char what[64];
		std::snprintf(what, sizeof(what), ": opcode %02xh at LBA %llu", job.cdb.opcode(),
			      static_cast<unsigned long long>(job.lba));
		log(LogLevel::warning, Error{error, config_.name + what}.text());
	}
	switch (error) {
	case EAGAIN:
	case ENOMEM:
		return finish(job, Reply::busy());
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return fail(job, sense::space_allocation_failed);
	case EROFS:
	case EPERM:
	case EACCES:
		return fail(job, sense::write_protected);
	case ENODEV:
	case ENXIO:
	case ENOLINK:
	case ETIMEDOUT:
		return fail(job, sense::communication_failure);
	case EINVAL:
	case EFAULT:
	case EBADF:
		return fail(job, sense::internal_failure);
	default:
		return fail(job, writing ? sense::write_error : sense::read_error);
	}
}

/** Answer with @p data, cut to the ALLOCATION LENGTH and the data buffer. */
void BlockEmulator::finish_data_in(Job &job, const DataIn &data, uint64_t allocation)
{
	Segments buffer = job.command->data();
	size_t length = std::min<uint64_t>(data.size(), allocation);

	length = buffer.scatter(0, data.bytes().first(length));
	/* The buffer's pages served other commands before: leave nothing of theirs. */
	buffer.zero(length, buffer.size() - length);
	finish(job, Reply::good_with_length(static_cast<uint32_t>(length)));
}

/** Whether the store can work on the command's own memory. */
bool BlockEmulator::direct(const Job &job, uint64_t length) const
{
	uintptr_t mask = store_->traits().memory_alignment - 1;

	if (length & (config_.block_size - 1))
		return false;
	if (mask == 0)
		return true;
	uintptr_t bits = job.request.data_offset;
	for (const iovec &part : job.request.data.list())
		bits |= reinterpret_cast<uintptr_t>(part.iov_base) | part.iov_len;
	return (bits & mask) == 0;
}

/** LBA and length against the capacity; answers when they exceed it. */
bool BlockEmulator::check_range(Job &job)
{
	if (job.lba <= config_.blocks && job.blocks <= config_.blocks - job.lba)
		return true;
	fail(job, sense::lba_out_of_range);
	return false;
}

/**
 * check_range(), the longest transfer, and that the initiator sent
 * @p data_needed bytes: less than the CDB tells of would leave blocks unwritten
 * that it believes to be written.
 */
bool BlockEmulator::check_transfer(Job &job, uint64_t data_needed)
{
	if (!check_range(job))
		return false;
	bool too_long = config_.max_transfer_blocks && job.blocks > config_.max_transfer_blocks;
	if (too_long || job.command->data().size() < data_needed) {
		fail(job, sense::invalid_field_in_cdb);
		return false;
	}
	return true;
}

} // namespace tcmu
