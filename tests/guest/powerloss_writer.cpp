// SPDX-License-Identifier: GPL-2.0
#include "powerloss_writer.hpp"

#include <algorithm>

#include "power_cut.hpp"
#include "seed.hpp"

namespace lio::test {

namespace {

using Kind = DiskCommand::Kind;

constexpr size_t max_flights = 8;
constexpr uint64_t max_blocks = 64;
/// Zeroes have no stamp, so that nothing tells whether a log has them in the order in which they were sent:
/// they are written at the end of the disk only, where no FUA changes that order.
constexpr uint64_t lun_blocks = power_lun_bytes / stamped_bytes;
constexpr uint64_t thin_from = lun_blocks / 4 * 3, page_blocks = 4096 / stamped_bytes;
/// Half of all goes here, so that blocks are written again and again.
constexpr uint64_t hot_blocks = 1024;

std::vector<uint8_t> data_of(const DiskCommand &c, uint64_t generation)
{
	std::vector<uint8_t> data;
	if (c.kind == Kind::unmap) {
		data.resize(24);
		put_be(std::span(data).subspan(0, 2), 22);
		put_be(std::span(data).subspan(2, 2), 16);
		put_be(std::span(data).subspan(8, 8), c.lba);
		put_be(std::span(data).subspan(16, 4), c.blocks);
	} else if (c.kind == Kind::same) {
		data.resize(stamped_bytes);
		put_stamp(data, {generation, c.lba, c.blocks});
	} else if (c.kind == Kind::write) {
		data.resize(c.blocks * stamped_bytes);
		for (uint64_t i = 0; i < c.blocks; i++)
			put_stamp(std::span(data).subspan(i * stamped_bytes, stamped_bytes),
				  {generation, c.lba + i, 1});
	}
	return data;
}

} // namespace

Result<bool> has_write_cache(SgDevice &sg)
{
	LIO_TRY(auto mode, sg.fetch(cdb::mode_sense(10, 0x08, 0, 64, 0, true), 64));
	// SPC-5 7.5.5: the header's 8 bytes, no block descriptors; SBC-4 6.5.5: WCE is bit 2 of byte 2.
	if (mode.size() < 11 || (mode[8] & 0x3f) != 0x08)
		return Error{EPROTO, sg.path(), "no caching mode page from"};
	return (mode[10] & 0x04) != 0;
}

PowerWriter::PowerWriter(SgQueue queue, LogMarker marker, Workload &workload)
	: queue_(std::move(queue)), marker_(std::move(marker)), workload_(workload), random_(rng("power loss writer"))
{}

Result<PowerWriter> PowerWriter::create(const PowerStage &stage, Workload &workload)
{
	LIO_TRY(std::string node, stage.disk().lun.sg_node());
	LIO_TRY(SgQueue queue, SgQueue::open(node));
	LIO_TRY(LogMarker marker, stage.device().marker());
	return PowerWriter(std::move(queue), std::move(marker), workload);
}

DiskCommand PowerWriter::draw_range(Kind kind)
{
	bool thin = kind == Kind::unmap || (kind == Kind::write && random_() % 4 == 0);
	uint64_t from = thin ? thin_from : 0, blocks = 1 + random_() % max_blocks;
	uint64_t room = thin ? lun_blocks - thin_from : random_() % 2 ? hot_blocks : thin_from;
	uint64_t lba = random_() % (room - blocks);
	// Mostly pages, as file systems do; holes are made of pages.
	if (kind == Kind::unmap || random_() % 4) {
		lba -= lba % page_blocks;
		blocks = std::max(page_blocks, blocks - blocks % page_blocks);
	}
	bool fua = kind == Kind::write && workload_.cached() && !thin && random_() % 3 == 0;
	return {kind, from + lba, blocks, fua};
}

DiskCommand PowerWriter::draw()
{
	uint64_t dice = random_() % 100;
	if (dice < 4)
		return {Kind::sync};
	if (dice < 8) {
		uint64_t lba = random_() % lun_blocks;
		return {Kind::sync, lba, std::min(lun_blocks - lba, 1 + random_() % 4096)};
	}
	return draw_range(dice < 16 ? Kind::unmap : dice < 24 ? Kind::same : Kind::write);
}

bool PowerWriter::overlaps(const DiskCommand &c) const
{
	return c.kind != Kind::sync && std::any_of(flights_.begin(), flights_.end(), [&](const auto &flight) {
		const DiskCommand &o = workload_.of(flight.second.generation).command;
		return o.kind != Kind::sync && c.lba < o.lba + o.blocks && o.lba < c.lba + c.blocks;
	});
}

Cdb PowerWriter::cdb_of(const DiskCommand &c)
{
	int form = random_() % 2 ? 10 : 16;
	auto blocks = static_cast<uint32_t>(c.blocks);
	switch (c.kind) {
	case Kind::sync:
		return cdb::sync_cache(form, c.lba, blocks);
	case Kind::unmap:
		return cdb::unmap(24);
	case Kind::same:
		return cdb::write_same(form, c.lba, blocks);
	case Kind::write:
		break;
	}
	return cdb::write(form, c.lba, blocks, {.fua = c.fua});
}

std::string PowerWriter::mark_text_now() const
{
	return mark_text(workload_.moments().size() - 1);
}

/// The mark that it was sent comes before, the mark that it was answered after.
Status PowerWriter::send(const DiskCommand &command)
{
	uint64_t generation = workload_.send(command);
	LIO_CHECK(mark());
	std::vector<uint8_t> data = data_of(command, generation);
	LIO_TRY(int id, queue_.submit(cdb_of(command), data.empty() ? Data::none() : Data::out(data)));
	flights_[id] = {generation, std::move(data)};
	return {};
}

Status PowerWriter::reap()
{
	LIO_TRY(SgQueue::Done done, queue_.reap(seconds(60)));
	auto flight = flights_.extract(done.id);
	workload_.answer(flight.mapped().generation, done.reply.good());
	return mark();
}

Status PowerWriter::run(uint64_t commands)
{
	for (uint64_t i = 0; i < commands; i++) {
		DiskCommand command = draw();
		size_t room = 1 + random_() % max_flights;
		while (flights_.size() >= room || overlaps(command))
			LIO_CHECK(reap());
		LIO_CHECK(send(command));
	}
	while (!flights_.empty())
		LIO_CHECK(reap());
	return {};
}

} // namespace lio::test
