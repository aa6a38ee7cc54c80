// SPDX-License-Identifier: GPL-2.0
#include "power_cut.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace lio::test {

namespace {

constexpr std::string_view mark_prefix = "moment-";
/// Blocks of a file system, which has no stamps, come whole.
constexpr uint64_t metadata_sectors = 4096 / log_sector_bytes;
/// Of flushes, how far ahead in the log a write can be that had begun: it is logged by the flush after
/// the one that it missed.
constexpr int flushes_ahead = 2;

std::span<const uint8_t> sector_of(const LogEntry &entry, uint64_t i)
{
	return entry.data.subspan(i * log_sector_bytes, log_sector_bytes);
}

/// The log has writes with FUA before others that were sent earlier; a cache has one content of a block.
bool outdated(std::span<const uint8_t> old, std::span<const uint8_t> fresh)
{
	auto a = peek_stamp(old), b = peek_stamp(fresh);
	return a && b && a->same_place(*b) && b->generation < a->generation;
}

template <class Keep> void apply(std::vector<uint8_t> &device, const LogEntry &entry, Keep keep)
{
	uint64_t limit = device.size() / log_sector_bytes;
	for (uint64_t i = 0; i < entry.sectors && entry.sector + i < limit; i++) {
		auto place = std::span(device).subspan((entry.sector + i) * log_sector_bytes, log_sector_bytes);
		if (!keep(i))
			continue;
		if (entry.is(LogEntry::discard))
			std::fill(place.begin(), place.end(), 0);
		else if (!outdated(place, sector_of(entry, i)))
			memcpy(place.data(), sector_of(entry, i).data(), log_sector_bytes);
	}
}

bool everything(uint64_t)
{
	return true;
}

bool chance(std::mt19937_64 &random, double p)
{
	return std::bernoulli_distribution(p)(random);
}

/// Of a torn write, which sectors are there.
std::vector<bool> tear(const LogEntry &entry, std::mt19937_64 &random)
{
	std::vector<bool> keep(entry.sectors);
	bool last = false;
	for (uint64_t i = 0; i < entry.sectors; i++) {
		bool stamped = !entry.data.empty() && peek_stamp(sector_of(entry, i));
		if (stamped || (entry.sector + i) % metadata_sectors == 0 || i == 0)
			last = chance(random, 0.5);
		keep[i] = last;
	}
	return keep;
}

} // namespace

std::string mark_text(uint64_t n)
{
	return std::string(mark_prefix) + std::to_string(n);
}

std::optional<uint64_t> marked_moment(const LogEntry &entry)
{
	uint64_t n;
	if (!entry.is(LogEntry::mark) || !entry.text().starts_with(mark_prefix))
		return std::nullopt;
	std::string_view digits = entry.text().substr(mark_prefix.size());
	if (std::from_chars(digits.data(), digits.data() + digits.size(), n).ec != std::errc())
		return std::nullopt;
	return n;
}

void PowerCut::take(const LogEntry &entry, size_t index)
{
	if (auto moment = marked_moment(entry))
		moments_ = *moment + 1;
	if (entry.is(LogEntry::mark))
		return;
	if (entry.is(LogEntry::flush)) {
		for (size_t cached : cached_)
			apply(permanent_, log_[cached], everything);
		cached_.clear();
	}
	if (entry.is(LogEntry::fua))
		apply(permanent_, entry, everything);
	else if (entry.sectors)
		cached_.push_back(index);
}

void PowerCut::advance(size_t position)
{
	for (; position_ < position; position_++)
		take(log_[position_], position_);
}

/// All that it writes was sent to the disk before the power went.
bool PowerCut::began(const LogEntry &entry) const
{
	bool any = false;
	for (uint64_t i = 0; i < entry.data.size() / log_sector_bytes; i++) {
		auto stamp = peek_stamp(sector_of(entry, i));
		if (stamp && !workload_.sent_by(stamp->generation, moments_))
			return false;
		any = any || stamp;
	}
	return any;
}

/// It goes where the same blocks of the disk were.
bool PowerCut::may_be_early(const std::vector<uint8_t> &device, const LogEntry &entry) const
{
	for (uint64_t i = 0; !direct_ && i < entry.data.size() / log_sector_bytes; i++) {
		auto fresh = peek_stamp(sector_of(entry, i));
		uint64_t at = (entry.sector + i) * log_sector_bytes;
		if (at + log_sector_bytes > device.size())
			return false;
		auto old = peek_stamp(std::span(device).subspan(at, log_sector_bytes));
		if (!fresh || !old || !old->same_place(*fresh))
			return false;
	}
	return true;
}

/// Entries that may be on the medium although nothing covers them, in the order of the log.
std::vector<size_t> PowerCut::possible(const std::vector<uint8_t> &device) const
{
	std::vector<size_t> found = cached_;
	int flushes = 0;
	for (size_t i = position_; i < log_.size() && flushes < flushes_ahead; i++) {
		flushes += log_[i].is(LogEntry::flush);
		if (!log_[i].is(LogEntry::mark) && began(log_[i]) && may_be_early(device, log_[i]))
			found.push_back(i);
	}
	return found;
}

/// Sectors of the device where a block of the disk ever was.
std::set<uint64_t> PowerCut::places(uint64_t lba) const
{
	std::set<uint64_t> found;
	if (direct_)
		found.insert(lba);
	for (const LogEntry &entry : log_) {
		for (uint64_t i = 0; !entry.is(LogEntry::mark) && i < entry.data.size() / log_sector_bytes; i++) {
			auto stamp = peek_stamp(sector_of(entry, i));
			if (stamp && stamp->same_place({0, lba, 1}))
				found.insert(entry.sector + i);
		}
	}
	return found;
}

std::string PowerCut::story(uint64_t lba) const
{
	std::string text;
	bool flushed = false;
	auto where = places(lba);
	for (size_t i = 0; i < log_.size(); i++) {
		const LogEntry &entry = log_[i];
		if (entry.is(LogEntry::flush) && !flushed)
			text += " " + std::to_string(i) + ":flush";
		flushed = flushed || entry.is(LogEntry::flush);
		for (uint64_t at : where) {
			if (entry.is(LogEntry::mark) || at < entry.sector || at - entry.sector >= entry.sectors)
				continue;
			auto stamp = entry.data.empty() ? std::nullopt : peek_stamp(sector_of(entry, at - entry.sector));
			text += " " + std::to_string(i) + (entry.is(LogEntry::fua) ? ":fua:" : ":") + std::to_string(at) + "=" +
				(stamp ? std::to_string(stamp->generation) : entry.data.empty() ? "discarded" : "other");
			flushed = false;
		}
	}
	return text;
}

std::vector<uint8_t> PowerCut::device(std::mt19937_64 &random) const
{
	// Often nothing or everything, else anything.
	static constexpr double shares[] = {0, 0.2, 0.5, 0.8, 1};
	double share = shares[random() % std::size(shares)];
	std::vector<uint8_t> device = permanent_;
	for (size_t index : possible(permanent_)) {
		const LogEntry &entry = log_[index];
		if (!chance(random, share))
			continue;
		std::vector<bool> torn;
		if (chance(random, 0.3))
			torn = tear(entry, random);
		apply(device, entry, [&](uint64_t i) { return torn.empty() || torn[i]; });
	}
	return device;
}

} // namespace lio::test
