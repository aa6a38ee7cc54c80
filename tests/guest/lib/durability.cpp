// SPDX-License-Identifier: GPL-2.0
#include "durability.hpp"

#include <algorithm>
#include <cstring>

#include "pattern.hpp"

namespace lio::test {

namespace {

constexpr uint64_t stamp_magic = 0x706d617473206f69;
constexpr size_t words = stamped_bytes / sizeof(uint64_t);

struct StampHead {
	uint64_t magic, generation, lba, blocks;
};

constexpr size_t head_words = sizeof(StampHead) / sizeof(uint64_t);

uint64_t stamp_key(const BlockStamp &stamp)
{
	return mix64(mix64(mix64(stamp.generation) + stamp.lba) + stamp.blocks);
}

bool is_zero(std::span<const uint8_t> block)
{
	return block[0] == 0 && !memcmp(block.data(), block.data() + 1, block.size() - 1);
}

} // namespace

void put_stamp(std::span<uint8_t> block, const BlockStamp &stamp)
{
	StampHead head = {stamp_magic, stamp.generation, stamp.lba, stamp.blocks};
	uint64_t body[words], key = stamp_key(stamp);
	for (size_t i = head_words; i < words; i++)
		body[i] = key + i;
	memcpy(body, &head, sizeof(head));
	memcpy(block.data(), body, sizeof(body));
}

std::optional<BlockStamp> peek_stamp(std::span<const uint8_t> block)
{
	StampHead head;
	memcpy(&head, block.data(), sizeof(head));
	if (head.magic != stamp_magic)
		return std::nullopt;
	return BlockStamp{head.generation, head.lba, head.blocks};
}

std::optional<BlockStamp> read_stamp(std::span<const uint8_t> block)
{
	auto stamp = peek_stamp(block);
	if (!stamp)
		return std::nullopt;
	uint8_t whole[stamped_bytes];
	put_stamp(whole, *stamp);
	return memcmp(whole, block.data(), sizeof(whole)) ? std::nullopt : stamp;
}

uint64_t Workload::send(const DiskCommand &command)
{
	records_.push_back({command, moments_.size()});
	moments_.push_back({records_.size(), false});
	return records_.size();
}

void Workload::answer(uint64_t generation, bool good)
{
	Record &record = records_[generation - 1];
	record.answered = moments_.size();
	record.good = good;
	moments_.push_back({generation, true});
}

bool Workload::sent_by(uint64_t generation, uint64_t moments) const
{
	return generation && generation <= records_.size() && of(generation).sent < moments;
}

size_t Workload::failed() const
{
	return static_cast<size_t>(
		std::count_if(records_.begin(), records_.end(), [](const Record &r) { return !r.good; }));
}

void Promise::sent(uint64_t generation)
{
	const DiskCommand &c = workload_.of(generation).command;
	if (c.kind == DiskCommand::Kind::sync)
		return;
	for (uint64_t lba = c.lba; lba < c.lba + c.blocks; lba++)
		may_hold_[lba].push_back(generation);
}

/// Nothing older than @generation is there any more.
void Promise::settle(uint64_t lba, uint64_t generation)
{
	auto &may = may_hold_[lba];
	auto it = std::find(may.begin(), may.end(), generation);
	if (it != may.end())
		may.erase(may.begin(), it);
}

/// A SYNCHRONIZE CACHE promises what had been answered with GOOD when it was sent.
void Promise::keep_range(const DiskCommand &range, uint64_t before)
{
	auto answered_before = [&](uint64_t generation) {
		return generation && workload_.of(generation).good && workload_.of(generation).answered < before;
	};
	uint64_t end = range.blocks ? range.lba + range.blocks : workload_.blocks();
	for (uint64_t lba = range.lba; lba < end; lba++) {
		auto &may = may_hold_[lba];
		auto it = std::find_if(may.rbegin(), may.rend(), answered_before);
		if (it != may.rend())
			may.erase(may.begin(), std::prev(it.base()));
	}
}

void Promise::synchronized(const Workload::Record &sync)
{
	const DiskCommand &range = sync.command;
	keep_range(range, sync.sent);
	uint64_t end = range.blocks ? range.lba + range.blocks : workload_.blocks();
	kept_ += std::erase_if(unkept_, [&](uint64_t generation) {
		const Workload::Record &w = workload_.of(generation);
		return w.answered < sync.sent && w.command.lba >= range.lba &&
		       w.command.lba + w.command.blocks <= end;
	});
}

void Promise::answered(uint64_t generation)
{
	const Workload::Record &record = workload_.of(generation);
	const DiskCommand &c = record.command;
	if (!record.good)
		return;
	if (c.kind == DiskCommand::Kind::sync)
		return synchronized(record);
	if (workload_.cached() && !c.fua) {
		unkept_.push_back(generation);
		return;
	}
	kept_++;
	for (uint64_t lba = c.lba; lba < c.lba + c.blocks; lba++)
		settle(lba, generation);
}

void Promise::advance(size_t moments)
{
	for (; moments_ < moments; moments_++) {
		const Workload::Moment &m = workload_.moments()[moments_];
		if (m.answer)
			answered(m.generation);
		else
			sent(m.generation);
	}
}

bool Promise::holds(uint64_t lba, std::span<const uint8_t> block, uint64_t generation) const
{
	if (!generation)
		return is_zero(block);
	const DiskCommand &c = workload_.of(generation).command;
	if (c.kind == DiskCommand::Kind::unmap)
		return is_zero(block);
	BlockStamp stamp = c.kind == DiskCommand::Kind::same ? BlockStamp{generation, c.lba, c.blocks} :
							       BlockStamp{generation, lba, 1};
	return read_stamp(block) == stamp;
}

std::string Promise::describe(uint64_t lba, std::span<const uint8_t> block) const
{
	std::string text = "block " + std::to_string(lba) + " must hold one of";
	for (uint64_t generation : may_hold_[lba])
		text += " " + std::to_string(generation);
	auto stamp = peek_stamp(block);
	if (!stamp)
		return text + (is_zero(block) ? ", it has zeroes" : ", it has something else");
	return text + ", it has " + std::to_string(stamp->generation) + " of block " + std::to_string(stamp->lba) +
	       (read_stamp(block) ? "" : ", torn");
}

std::optional<Promise::Broken> Promise::broken(std::span<const uint8_t> disk) const
{
	for (uint64_t lba = 0; lba < workload_.blocks(); lba++) {
		auto block = disk.subspan(lba * stamped_bytes, stamped_bytes);
		auto fits = [&](uint64_t generation) { return holds(lba, block, generation); };
		if (std::none_of(may_hold_[lba].begin(), may_hold_[lba].end(), fits))
			return Broken{lba, describe(lba, block)};
	}
	return std::nullopt;
}

} // namespace lio::test
