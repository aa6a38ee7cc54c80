// SPDX-License-Identifier: MIT
#include <tcmu/ring.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <thread>

namespace tcmu {

namespace {

constexpr size_t id_count = 65536;
/** The part of a command entry before its iovecs. */
constexpr uint32_t request_length = sizeof(abi::Request);
constexpr uint32_t tmr_length = sizeof(abi::TaskManagementEntry);

/** The smallest page the data area can be made of, so the most iovecs. */
constexpr size_t page_size = 4096;

/** Read a field of an entry. The structures are packed, the fields not aligned. */
template <class T> T read(const std::byte *at, size_t offset)
{
	T value;

	std::memcpy(&value, at + offset, sizeof(value));
	return value;
}

template <class T> void write(std::byte *at, size_t offset, const T &value)
{
	std::memcpy(at + offset, &value, sizeof(value));
}

Status check_mailbox(const abi::Mailbox &seen, size_t map_size)
{
	auto bad = [](const char *what) { return Error{EPROTO, what}; };

	if (seen.version != abi::mailbox_version)
		return bad("mailbox version is not 2");
	if (seen.cmdr_off < sizeof(abi::Mailbox) || seen.cmdr_off % abi::entry_alignment)
		return bad("mailbox cmdr_off");
	if (seen.cmdr_size < page_size || seen.cmdr_size % abi::entry_alignment ||
	    seen.cmdr_off > map_size || seen.cmdr_size > map_size - seen.cmdr_off)
		return bad("mailbox cmdr_size");
	if (seen.cmd_head >= seen.cmdr_size || seen.cmd_head % abi::entry_alignment)
		return bad("mailbox cmd_head");
	if (seen.cmd_tail >= seen.cmdr_size || seen.cmd_tail % abi::entry_alignment)
		return bad("mailbox cmd_tail");
	return {};
}

/** Lists never total more iovecs than the data area has pages. */
size_t list_capacity(const abi::Mailbox &seen, size_t map_size, size_t wanted)
{
	size_t pages = (map_size - seen.cmdr_off - seen.cmdr_size) / page_size;

	return std::min(wanted, std::max<size_t>(pages, 1));
}

} // namespace

void Command::complete(const Reply &reply)
{
	ring_->complete(*this, reply);
}

Result<std::unique_ptr<Ring>> Ring::attach(std::span<std::byte> map, const Options &options)
{
	abi::Mailbox seen;

	if (map.size() < sizeof(seen))
		return Error{EPROTO, "mapping is smaller than a mailbox"};
	std::memcpy(&seen, map.data(), sizeof(seen));
	if (Status ok = check_mailbox(seen, map.size()); !ok)
		return ok.error();
	if (options.depth == 0 || options.depth > id_count)
		return Error{EINVAL, "queue depth"};
	return std::unique_ptr<Ring>(new Ring(map, seen, options));
}

Ring::Ring(std::span<std::byte> map, const abi::Mailbox &seen, const Options &options)
	: map_(map), mailbox_(reinterpret_cast<abi::Mailbox *>(map.data())),
	  ring_(map.data() + seen.cmdr_off), size_(seen.cmdr_size), flags_(seen.flags),
	  cursor_(seen.cmd_tail), tail_(seen.cmd_tail), published_(seen.cmd_tail),
	  head_(seen.cmd_tail), slots_(options.depth),
	  arena_(list_capacity(seen, map.size(), options.list_capacity)), ids_(id_count),
	  aborted_(id_count), order_(options.depth)
{
	/* Have the ring in the page tables now, while memory is to be had. */
	for (uint32_t at = 0; at < size_; at += page_size)
		static_cast<void>(*const_cast<volatile std::byte *>(ring_ + at));
	free_slots_.reserve(options.depth);
	for (uint32_t i = options.depth; i-- > 0;) {
		slots_[i].ring_ = this;
		slots_[i].slot_ = i;
		free_slots_.push_back(i);
	}
}

/** A position the kernel shares: what it wrote before it is visible after. */
uint32_t Ring::load(const uint32_t *field) const
{
	return std::atomic_ref(*const_cast<uint32_t *>(field)).load(std::memory_order_acquire);
}

uint32_t Ring::after(uint32_t position, uint32_t length) const
{
	position += length;
	return position == size_ ? 0 : position;
}

bool Ring::empty()
{
	return load(&mailbox_->cmd_head) == cursor_;
}

/**
 * Read the header at @p position, an entry that must end at or before
 * @p limit. An entry never wraps: the kernel pads to the end of the ring.
 */
bool Ring::entry_at(uint32_t position, uint32_t limit, Entry &entry) const
{
	uint32_t room = (limit > position ? limit : size_) - position;

	entry.at = ring_ + position;
	auto len_op = read<uint32_t>(entry.at, offsetof(abi::EntryHeader, len_op));
	entry.id = read<uint16_t>(entry.at, offsetof(abi::EntryHeader, cmd_id));
	entry.op = len_op & abi::op_mask;
	entry.length = len_op & ~abi::op_mask;
	if (entry.length < sizeof(abi::EntryHeader) || entry.length > room)
		return false;
	return entry.op != abi::op_command || entry.length >= abi::min_command_length;
}

/**
 * The kernel began anew (action/reset_ring, by an administrator or another
 * program): what is in flight was ended by it. Those commands only give back
 * their slots when they complete; those that have and wait for their turn, now.
 */
void Ring::resync(uint32_t tail)
{
	generation_++;
	ids_.assign(id_count, false);
	for (; order_count_; order_count_--) {
		Command &next = slots_[order_[order_head_]];

		order_head_ = (order_head_ + 1) % depth();
		if (next.answered_)
			free_slot(next);
	}
	cursor_ = tail_ = published_ = head_ = tail;
	counters_.resets++;
	/*
	 * Head and tail are two stores: let the second one arrive before either
	 * is believed. This happens once a reset, not once a command.
	 */
	std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

/** See whether there is more. False: @p result says why not. */
bool Ring::refresh_head(Fetched &result)
{
	auto distance = [this](uint32_t to) { return (to + size_ - tail_) % size_; };
	auto valid = [this](uint32_t at) { return at < size_ && at % abi::entry_alignment == 0; };

	for (;;) {
		uint32_t head = load(&mailbox_->cmd_head);
		uint32_t tail = load(&mailbox_->cmd_tail);

		if (!valid(head) || !valid(tail)) {
			broken_ = true;
			result = {.kind = Fetched::Kind::broken, .reason = "cmd_head or cmd_tail"};
			return false;
		}
		if (tail != published_ || distance(head) < distance(cursor_)) {
			resync(tail);
			continue;
		}
		head_ = head;
		if (head == cursor_)
			result.kind = Fetched::Kind::none;
		return head != cursor_;
	}
}

Fetched Ring::fetch()
{
	Fetched result;
	Entry entry;

	if (broken_)
		return {.kind = Fetched::Kind::broken, .reason = "ring was broken before"};
	for (;;) {
		if (cursor_ == head_ && !refresh_head(result))
			return result;
		if (!entry_at(cursor_, head_, entry)) {
			broken_ = true;
			return {.kind = Fetched::Kind::broken, .reason = "entry length"};
		}
		Take taken = Take::answered;
		if (entry.op == abi::op_command)
			taken = take(entry, result.command);
		if (taken == Take::no_room)
			return {.kind = Fetched::Kind::no_room};
		if (taken == Take::duplicate) {
			broken_ = true;
			return {.kind = Fetched::Kind::broken, .reason = "cmd_id is in flight already"};
		}
		/*
		 * An entry is consumed before its command can be answered: the
		 * answer goes to an entry that the cursor has passed.
		 */
		cursor_ = after(cursor_, entry.length);
		switch (entry.op) {
		case abi::op_command:
			counters_.commands++;
			if (taken == Take::taken) {
				result.kind = Fetched::Kind::command;
				return result;
			}
			counters_.malformed++;
			result.command->complete(Reply::check_condition(sense::internal_failure));
			break;
		case abi::op_pad:
			counters_.pads++;
			break;
		case abi::op_task_management:
			counters_.task_management++;
			if (read_task_management(entry, result.task_management)) {
				result.kind = Fetched::Kind::task_management;
				return result;
			}
			counters_.malformed++;
			break;
		default:
			counters_.unknown_entries++;
			write<uint8_t>(entry.at, offsetof(abi::EntryHeader, uflags),
				       abi::uflag_unknown_op);
		}
	}
}

/** Copy a command entry into a slot. answered: its contents make no sense. */
Ring::Take Ring::take(const Entry &entry, Command *&taken)
{
	if (free_slots_.empty())
		return Take::no_room;
	if (ids_[entry.id])
		return Take::duplicate;

	auto data = read<uint32_t>(entry.at, offsetof(abi::Request, iov_cnt));
	auto bidi = read<uint32_t>(entry.at, offsetof(abi::Request, iov_bidi_cnt));
	uint64_t count = uint64_t{data} + bidi;
	bool sane = count <= (entry.length - request_length) / sizeof(iovec) &&
		    count <= arena_.capacity();
	Command &command = slots_[free_slots_.back()];

	if (!sane)
		data = bidi = 0;
	if (!reserve_list(command, data + bidi))
		return Take::no_room;
	free_slots_.pop_back();
	command.id_ = entry.id;
	command.data_count_ = data;
	command.bidi_count_ = bidi;
	command.data_bytes_ = command.bidi_bytes_ = 0;
	command.generation_ = generation_;
	command.answered_ = false;
	ids_[entry.id] = true;
	in_flight_++;
	if (!has(abi::cap_out_of_order))
		order_[(order_head_ + order_count_++) % depth()] = command.slot_;
	taken = &command;
	sane = sane && copy_list(entry, command, data + bidi) && copy_cdb(entry, command);
	return sane ? Take::taken : Take::answered;
}

bool Ring::reserve_list(Command &command, uint32_t count)
{
	command.list_ = count <= command.inline_list_.size() ? command.inline_list_.data()
							     : arena_.allocate(count);
	return command.list_ != nullptr;
}

/** Turn offsets into pointers; false when one is outside the mapping. */
bool Ring::copy_list(const Entry &entry, Command &command, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		auto part = read<iovec>(entry.at, request_length + i * sizeof(iovec));
		auto offset = reinterpret_cast<uintptr_t>(part.iov_base);

		if (offset > map_.size() || part.iov_len > map_.size() - offset)
			return false;
		command.list_[i] = {map_.data() + offset, part.iov_len};
		(i < command.data_count_ ? command.data_bytes_ : command.bidi_bytes_) +=
			part.iov_len;
	}
	return true;
}

bool Ring::copy_cdb(const Entry &entry, Command &command)
{
	auto offset = read<uint64_t>(entry.at, offsetof(abi::Request, cdb_off));

	if (offset >= map_.size())
		return false;
	size_t room = std::min(map_.size() - offset, max_cdb_length);
	/* The length is told by bytes that can change: copy first, look then. */
	size_t first = std::min<size_t>(room, 16);
	std::memcpy(command.cdb_.data(), map_.data() + offset, first);
	size_t length = cdb_length({command.cdb_.data(), first});
	if (length == 0 && first == 16 && command.cdb_[0] >> 5 == 3) {
		length = 8u + command.cdb_[7];
		if (length > room)
			return false;
		std::memcpy(command.cdb_.data() + first, map_.data() + offset + first,
			    length - first);
	}
	command.cdb_length_ = static_cast<uint16_t>(length);
	return length != 0;
}

bool Ring::read_task_management(const Entry &entry, TaskManagement &out)
{
	if (entry.length < tmr_length)
		return false;
	auto count = read<uint32_t>(entry.at, offsetof(abi::TaskManagementEntry, cmd_cnt));
	if (count > (entry.length - tmr_length) / sizeof(uint16_t) || count > aborted_.size())
		return false;
	std::memcpy(aborted_.data(), entry.at + tmr_length, count * sizeof(uint16_t));
	out.type = read<uint8_t>(entry.at, offsetof(abi::TaskManagementEntry, tmr_type));
	out.ids = {aborted_.data(), count};
	return true;
}

void Ring::free_slot(Command &command)
{
	if (command.list_ != command.inline_list_.data())
		arena_.release(command.list_, command.data_count_ + command.bidi_count_);
	free_slots_.push_back(command.slot_);
	in_flight_--;
}

void Ring::complete(Command &command, const Reply &reply)
{
	if (command.generation_ != generation_) {
		free_slot(command);
		return;
	}
	if (has(abi::cap_out_of_order)) {
		answer(command, reply);
		return;
	}
	command.reply_ = reply;
	command.answered_ = true;
	while (order_count_ && slots_[order_[order_head_]].answered_) {
		Command &next = slots_[order_[order_head_]];

		order_head_ = (order_head_ + 1) % depth();
		order_count_--;
		answer(next, next.reply_);
	}
}

/** Write the answer into the entry at the tail, which need not be its own. */
void Ring::answer(Command &command, const Reply &reply)
{
	write_answer(command, reply);
	ids_[command.id_] = false;
	free_slot(command);
}

void Ring::write_answer(const Command &command, const Reply &reply)
{
	Entry entry;
	uint8_t uflags = 0;

	if (!skip_to_command(entry))
		return;
	std::byte *at = entry.at;
	if (reply.read_length && has(abi::cap_read_length)) {
		uflags |= abi::uflag_read_length;
		write(at, offsetof(abi::Response, read_len), *reply.read_length);
	}
	if (reply.keep_buffer && has(abi::cap_keep_buffer))
		uflags |= abi::uflag_keep_buffer;
	if (reply.status == ScsiStatus::check_condition) {
		std::array<uint8_t, abi::sense_buffer_size> data{};

		encode_fixed_sense(reply.sense, std::span(data).first<fixed_sense_length>());
		write(at, offsetof(abi::Response, sense_buffer), data);
	}
	write(at, offsetof(abi::Response, scsi_status), reply.status);
	write(at, offsetof(abi::EntryHeader, uflags), uflags);
	write(at, offsetof(abi::EntryHeader, cmd_id), command.id_);
	tail_ = after(tail_, entry.length);
}

/**
 * Move the tail over entries that take no answer. False when there is no
 * command entry before the cursor: somebody else has written to the ring.
 */
bool Ring::skip_to_command(Entry &entry)
{
	while (tail_ != cursor_) {
		if (!entry_at(tail_, cursor_, entry)) {
			/* fetch() once found it sane. */
			broken_ = true;
			return false;
		}
		if (entry.op == abi::op_command)
			return true;
		tail_ = after(tail_, entry.length);
	}
	return false;
}

bool Ring::publish()
{
	Entry entry;

	if (tail_ != cursor_)
		skip_to_command(entry);
	if (tail_ == published_)
		return false;
	published_ = tail_;
	std::atomic_ref(mailbox_->cmd_tail).store(tail_, std::memory_order_release);
	return true;
}

} // namespace tcmu
