// SPDX-License-Identifier: GPL-2.0
#include "device.hpp"

#include <algorithm>
#include <cstring>

#include "pattern.hpp"
#include "shim.h"

extern "C" {
#include <scsi/scsi_common.h>
#include <target/target_core_backend.h>

struct workqueue_struct *tcmu_wq;
}

namespace lio::unit {

namespace {

/// Where a self-describing CDB has what.
enum : u32 { at_id = 8, at_length = 16, at_bidi = 20, at_direction = 24 };

template <typename T> T load(const u8 *p)
{
	T value;
	memcpy(&value, p, sizeof(value));
	return value;
}

template <typename T> void store(u8 *p, T value)
{
	memcpy(p, &value, sizeof(value));
}

u8 &byte_of(const scatterlist &sg, u32 i)
{
	u32 at = sg.offset + i;
	return sg.page[at / PAGE_SIZE].data[at % PAGE_SIZE];
}

/// Nobody wrote to the rest of the pages.
bool is_untouched_around(const scatterlist &sg)
{
	u32 end = (sg.offset + sg.length + PAGE_SIZE - 1) / PAGE_SIZE * PAGE_SIZE;
	for (u32 at = 0; at < end; at++)
		if ((at < sg.offset || at >= sg.offset + sg.length) &&
		    sg.page[at / PAGE_SIZE].data[at % PAGE_SIZE] != untouched)
			return false;
	return true;
}

u32 nr_slots(const Device &d, u32 bytes)
{
	return (bytes + d.dev.data.slot_size - 1) / d.dev.data.slot_size;
}

} // namespace

std::optional<CdbView> CdbView::parse(const u8 *cdb, size_t size)
{
	if (size < min_cdb || cdb[0] != VARIABLE_LENGTH_CMD || cdb[7] + 8u > size)
		return {};
	for (size_t i = min_cdb; i < cdb[7] + 8u; i++)
		if (cdb[i] != u8(i))
			return {};
	return CdbView{load<u64>(cdb + at_id), load<u32>(cdb + at_length), load<u32>(cdb + at_bidi), cdb[at_direction]};
}

u8 pattern(u64 id, u32 offset, bool to_initiator)
{
	u64 word = test::mix64(id * 2 + to_initiator + (u64(offset / 8) << 32));
	return u8(word >> (offset % 8 * 8));
}

Command::Command(Device &device, u64 id, const CommandSpec &spec)
	: device(device), id(id), spec(spec), cdb_(new u8[spec.cdb_length])
{
	write_cdb();
	se.shim_owner = this;
	se.se_dev = &device.dev.se_dev;
	se.t_task_cdb = cdb_.get();
	se.data_direction = spec.direction;
	if (spec.length) {
		se.data_length = spec.length;
		sg_ = make_buffer(spec.length, spec.direction == DMA_FROM_DEVICE);
		se.t_data_sg = sg_.data();
		se.t_data_nents = u32(sg_.size());
	}
	if (spec.bidi_length) {
		se.se_cmd_flags |= SCF_BIDI;
		bidi_sg_ = make_buffer(spec.bidi_length, true);
		se.t_bidi_data_sg = bidi_sg_.data();
		se.t_bidi_data_nents = u32(bidi_sg_.size());
	}
}

void Command::write_cdb()
{
	for (u32 i = 0; i < spec.cdb_length; i++)
		cdb_[i] = u8(i);
	cdb_[0] = VARIABLE_LENGTH_CMD;
	cdb_[7] = u8(spec.cdb_length - 8);
	store(cdb_.get() + at_id, id);
	store(cdb_.get() + at_length, spec.length);
	store(cdb_.get() + at_bidi, spec.bidi_length);
	cdb_[at_direction] = u8(spec.direction);
}

std::vector<scatterlist> Command::make_buffer(u32 length, bool incoming)
{
	std::vector<scatterlist> sg;
	u32 pieces = std::clamp(spec.pieces, 1u, length);
	for (u32 done = 0, i = 0; i < pieces; i++) {
		u32 here = i + 1 == pieces ? length - done : length / pieces;
		u32 offset = u32((id * 7 + i * 13) % PAGE_SIZE);
		size_t nr_pages = (offset + here + PAGE_SIZE - 1) / PAGE_SIZE;
		pages_.emplace_back(new page[nr_pages]);
		for (size_t n = 0; n < nr_pages; n++)
			memset(pages_.back()[n].data, untouched, PAGE_SIZE);
		sg.push_back({pages_.back().get(), offset, here});
		for (u32 j = 0; j < here && !incoming; j++)
			byte_of(sg.back(), j) = pattern(id, done + j, false);
		done += here;
	}
	return sg;
}

int64_t Command::incoming() const
{
	const auto &sg = spec.bidi_length ? bidi_sg_ : sg_;
	if (!spec.bidi_length && spec.direction != DMA_FROM_DEVICE)
		return 0;
	std::vector<u8> all;
	for (const scatterlist &piece : sg) {
		if (!is_untouched_around(piece))
			return -1;
		for (u32 i = 0; i < piece.length; i++)
			all.push_back(byte_of(piece, i));
	}
	size_t end = all.size();
	while (end && all[end - 1] == untouched)
		end--;
	for (size_t i = 0; i < end; i++)
		if (all[i] != pattern(id, u32(i), true))
			return -1;
	/* The pattern may happen to have the other's value at its end. */
	while (end < all.size() && pattern(id, u32(end), true) == untouched)
		end++;
	return int64_t(end);
}

void Command::free_buffers()
{
	pages_.clear();
	cdb_.reset();
}

Device::Device(const DeviceConfig &config) : config_(config)
{
	u32 size = config.ring_size + u32(sizeof(tcmu::abi::Mailbox));
	shared_.reset(static_cast<u8 *>(aligned_alloc(64, (size + 63) / 64 * 64)));
	memset(shared_.get(), 0, size);
	kref_init(&dev.ref);
	spin_lock_init(&dev.lock);
	mutex_init(&dev.grow_lock);
	mutex_init(&dev.open_lock);
	mutex_init(&dev.config_lock);
	INIT_LIST_HEAD(&dev.waiting);
	INIT_LIST_HEAD(&dev.tmrs);
	init_waitqueue_head(&dev.filled);
	dev.scan.work.func = tcmu_scan_work;
	dev.uio.shim_owner = this;
	dev.name = const_cast<char *>("dev");
	dev.cmd_time_out = 30000;
	dev.qfull_time_out = -1;
	dev.max_data_area_mb = 1;
	dev.data_pages_per_blk = config.slot_pages;
	dev.mailbox = reinterpret_cast<tcmu_mailbox *>(shared_.get());
	dev.inode = &inode_;
	shim_assert(!tcmu_ring_init(&dev.ring, config.ring_size));
	tcmu_mailbox_init(&dev);
	shim_assert(!tcmu_cmds_init(&dev));
	shim_assert(!tcmu_data_init(&dev, 1 << 20));
	// Smaller than any that configfs would make, so that tests reach the limits.
	dev.data.slots.limit = std::min(dev.data.slots.limit, config.slots);
	dev.tags.limit = config.tags;
	Memory::limit = INT32_MAX;
	Memory::reclaim_wanted = false;
}

Device::~Device()
{
	shim_assert(live_.empty());
	shim_assert(dev.ref.refs == 1);
	tcmu_drop_tmrs(&dev);
	tcmu_data_destroy(&dev);
	tcmu_cmds_destroy(&dev);
	tcmu_ring_destroy(&dev.ring);
}

void Device::submit(const CommandSpec &spec)
{
	auto *command = new Command(*this, next_id_++, spec);
	sense_reason_t reason = tcmu_parse_cdb(&command->se);
	{
		std::lock_guard guard(mutex_);
		live_.insert(command);
	}
	if (!reason)
		reason = command->se.execute_cmd(&command->se);
	if (reason)
		target_complete_cmd_with_sense(&command->se, SAM_STAT_CHECK_CONDITION, reason);
}

void Device::abort(tcm_tmreq_table function, const std::function<bool(const Command &)> &aborts)
{
	struct list_head aborted;
	INIT_LIST_HEAD(&aborted);
	std::vector<Command *> held;
	for_each_live([&](Command &c) {
		/* The core lets one function at a time have a command. */
		if (c.refs == 1 && aborts(c)) {
			c.excused = true;
			__atomic_fetch_or(&c.se.transport_state, CMD_T_ABORTED, __ATOMIC_RELAXED);
			c.refs++;
			held.push_back(&c);
			list_add_tail(&c.se.state_list, &aborted);
		}
	});
	tcmu_tmr_notify(&dev.se_dev, function, &aborted);
	for (Command *c : held)
		put(c);
}

void Device::pass(unsigned long seconds)
{
	__atomic_fetch_add(&shim_jiffies, seconds * HZ, __ATOMIC_RELAXED);
	spin_lock(&dev.lock);
	bool due = dev.scan.pending && !time_before(jiffies, dev.scan.due);
	if (due)
		dev.scan.pending = false;
	spin_unlock(&dev.lock);
	if (due)
		tcmu_scan_work(&dev.scan.work);
}

void Device::quiesce()
{
	tcmu_block(&dev, true);
	for_each_live([](Command &c) { c.excused = true; });
	tcmu_reset_ring(&dev, false);
	tcmu_cmd *cmd;
	for (u32 tag = 0; (cmd = tcmu_cmd_lookup(&dev, tag)); tag++)
		if (cmd->state == TCMU_CMD_KEPT)
			shim_assert(!tcmu_free_kept(&dev, tag));
	tcmu_block(&dev, false);
	shim_assert(!nr_live());
}

size_t Device::nr_live()
{
	std::lock_guard guard(mutex_);
	return live_.size();
}

void Device::for_each_live(const std::function<void(Command &)> &f)
{
	std::lock_guard guard(mutex_);
	for (Command *c : live_)
		f(*c);
}

Command *Device::posted(u16 tag) const
{
	tcmu_cmd *cmd = tcmu_cmd_lookup(&dev, tag);
	if (!cmd || cmd->state != TCMU_CMD_POSTED)
		return nullptr;
	return static_cast<Command *>(cmd->se_cmd->shim_owner);
}

std::span<u8> Device::data_at(u64 offset)
{
	if (offset < dev.data.offset)
		return {};
	offset -= dev.data.offset;
	page *page = tcmu_data_get_page(&dev, offset >> PAGE_SHIFT);
	if (!page)
		return {};
	bool stays = tcmu_data_has_page(&dev, offset >> PAGE_SHIFT, page);
	std::span<u8> rest = std::span(page->data).subspan(offset_in_page(offset));
	put_page(page);
	return stays ? rest : std::span<u8>();
}

void Device::completed(Command &command, const Outcome &outcome)
{
	shim_assert(!shim_nr_spinlocks());
	{
		std::lock_guard guard(mutex_);
		shim_assert(live_.erase(&command) == 1);
	}
	if (on_completed)
		on_completed(command, outcome);
	command.free_buffers();
	put(&command);
	shim_yield();
}

void Device::put(Command *command)
{
	std::unique_lock guard(mutex_);
	bool last = !--command->refs;
	guard.unlock();
	if (last)
		delete command;
}

void Device::rang()
{
	std::lock_guard guard(mutex_);
	nr_doorbells++;
	head_at_doorbell_ = __atomic_load_n(&mailbox()->cmd_head, __ATOMIC_ACQUIRE);
}

void Device::check_doorbell()
{
	std::lock_guard guard(mutex_);
	if (!test_bit(TCMU_DEV_PLUGGED, &dev.flags) && dev.ring.published != 0)
		shim_assert(head_at_doorbell_ == dev.ring.published);
}

void Device::audit(bool quiet) const
{
	audit_ring(quiet);
	audit_tags(quiet);
	audit_slots(quiet);
	audit_live(quiet);
}

void Device::audit_ring(bool quiet) const
{
	const tcmu_ring &ring = dev.ring;
	u32 pos = ring.tail, used = 0;
	for (u32 seq = ring.seq_tail; seq != ring.seq_head; seq++) {
		if (seq == ring.seq_published)
			shim_assert(pos == ring.published);
		u32 len = ring.posted[seq & ring.mask] & ~7u;
		shim_assert(len && pos + len <= ring.size);
		pos = (pos + len) % ring.size;
		used += len;
	}
	shim_assert(pos == ring.head && used == ring.used && used < ring.size);
	if (quiet)
		shim_assert(!dev.nr_filling && ring.seq_published == ring.seq_head);
}

void Device::audit_tags(bool quiet) const
{
	u32 nr_free = 0, nr = 0;
	tcmu_cmd *cmd;
	for (; (cmd = tcmu_cmd_lookup(&dev, nr)); nr++) {
		shim_assert(cmd->tag == nr && cmd->state <= TCMU_CMD_KEPT);
		nr_free += cmd->state == TCMU_CMD_FREE;
		if (quiet)
			shim_assert(cmd->state != TCMU_CMD_FILLING && cmd->state != TCMU_CMD_ANSWERED);
	}
	std::vector<bool> seen(config_.tags);
	u32 index = dev.tags.ready;
	for (u32 n = 0; n < dev.tags.nr_ready; n++) {
		shim_assert(index < nr && !seen[index]);
		seen[index] = true;
		shim_assert(tcmu_cmd_lookup(&dev, index)->state == TCMU_CMD_FREE);
		index = tcmu_pool_next(&dev.tags, index);
	}
	shim_assert(dev.tags.spare == TCMU_NONE);
	if (quiet)
		shim_assert(nr_free == dev.tags.nr_ready && nr == dev.tags.fresh);
}

void Device::audit_slots(bool quiet) const
{
	const tcmu_pool &slots = dev.data.slots;
	std::vector<bool> seen(slots.limit);
	u32 nr = 0;
	auto walk = [&](u32 index, u32 n) {
		for (; n; n--) {
			shim_assert(index < slots.fresh && !seen[index]);
			seen[index] = true;
			nr++;
			if (n > 1)
				index = tcmu_pool_next(&slots, index);
		}
	};
	walk(slots.ready, slots.nr_ready);
	tcmu_cmd *cmd;
	for (u32 tag = 0; (cmd = tcmu_cmd_lookup(&dev, tag)); tag++)
		if (cmd->state != TCMU_CMD_FREE)
			walk(cmd->data.first, cmd->data.count);
	u32 backed = nr;
	for (u32 index = slots.spare; index != TCMU_NONE; index = tcmu_pool_next(&slots, index))
		walk(index, 1);
	if (quiet) {
		shim_assert(nr == slots.fresh);
		shim_assert(Memory::charged == int64_t(backed) * dev.data.slot_pages);
	}
}

void Device::audit_live(bool quiet) const
{
	if (!quiet)
		return;
	size_t nr = list_count_nodes(&dev.waiting);
	tcmu_cmd *cmd;
	for (u32 tag = 0; (cmd = tcmu_cmd_lookup(&dev, tag)); tag++) {
		if (cmd->state != TCMU_CMD_POSTED)
			continue;
		auto *command = static_cast<Command *>(cmd->se_cmd->shim_owner);
		shim_assert(live_.count(command));
		shim_assert(cmd->data.count ==
			    nr_slots(*this, command->spec.length) + nr_slots(*this, command->spec.bidi_length));
		nr++;
	}
	shim_assert(nr == live_.size());
	/* Nobody waits for ever. */
	shim_assert(!nr || dev.scan.pending);
}

} // namespace lio::unit

using namespace lio::unit;

namespace {

Command &command_of(se_cmd *se)
{
	return *static_cast<Command *>(se->shim_owner);
}

void complete(se_cmd *se, Outcome outcome)
{
	Command &command = command_of(se);
	outcome.sense_byte = command.sense_byte;
	command.device.completed(command, outcome);
}

} // namespace

void target_complete_cmd(se_cmd *se, u8 status)
{
	complete(se, {.status = status});
}

void target_complete_cmd_with_sense(se_cmd *se, u8 status, sense_reason_t reason)
{
	complete(se, {.status = status, .reason = reason});
}

void target_complete_cmd_with_length(se_cmd *se, u8 status, int length)
{
	complete(se, {.status = status, .length = u32(length)});
}

void transport_copy_sense_to_cmd(se_cmd *se, unsigned char *sense)
{
	command_of(se).sense_byte = sense[TCMU_SENSE_BUFFERSIZE - 1];
}

void uio_event_notify(uio_info *info)
{
	shim_assert(!shim_nr_spinlocks());
	static_cast<Device *>(info->shim_owner)->rang();
}

void tcmu_dev_put(tcmu_dev *dev)
{
	shim_assert(__atomic_sub_fetch(&dev->ref.refs, 1, __ATOMIC_ACQ_REL) > 0);
}

bool tcmu_report_attention(tcmu_dev *, se_cmd *)
{
	shim_assert(!"called with nothing to report");
	return false;
}

bool tcmu_memory_charge(u32 pages)
{
	if ((Memory::charged += pages) <= Memory::limit)
		return true;
	Memory::charged -= pages;
	return false;
}

void tcmu_memory_uncharge(u32 pages)
{
	Memory::charged -= pages;
}

void tcmu_memory_reclaim()
{
	Memory::reclaim_wanted = true;
}
