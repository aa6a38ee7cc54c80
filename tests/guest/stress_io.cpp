// SPDX-License-Identifier: GPL-2.0
// Reads and writes through whatever path there is; each writer knows what its part of each disk holds.
#include "block_history.hpp"
#include "pattern.hpp"
#include "stress_stage.hpp"

namespace lio::test {

namespace {

constexpr unsigned nr_writers = 3;
constexpr uint64_t most_blocks = 32;

struct Range {
	uint64_t first, count;
	size_t bytes() const { return count * BlockHistory::block_bytes; }
};

Range pick_range(Random &random)
{
	// Mostly small.
	uint64_t count = 1 + random() % (random() % 4 ? 4 : most_blocks);
	return {random() % (region_blocks - count + 1), count};
}

uint64_t lba_of(const BlockHistory &h, const Range &r)
{
	return h.offset(r.first) / 512;
}

uint32_t sectors_of(const Range &r)
{
	return static_cast<uint32_t>(r.bytes() / 512);
}

Error with_path(Error e, const std::string &path)
{
	if (e.path.empty())
		e.path = path;
	return e;
}

Status io_error(const ScsiReply &reply, const std::string &path)
{
	return Error{EIO, path, reply.str() + " from"};
}

class Writer {
	StressStage &stage_;
	std::vector<BlockHistory> disks_;

public:
	Writer(StressStage &stage, unsigned number) : stage_(stage)
	{
		for (size_t d = 0; d < nr_stress_disks; d++)
			disks_.emplace_back(number * region_blocks * BlockHistory::block_bytes, region_blocks,
					    d * 16 + number + 1, stage.disk(d).exact);
	}

	Status block_io(Random &random, bool write);
	Status sg_io(Random &random, bool write);
	Status sg_burst(Random &random);
	Status sync(Random &random);

private:
	Result<StressSlot> pick_disk_slot(Random &random);
	Status write_block(BlockFile &file, BlockHistory &h, const Range &r);
	Status read_block(BlockFile &file, const BlockHistory &h, const Range &r);
};

Result<StressSlot> Writer::pick_disk_slot(Random &random)
{
	LIO_TRY(StressSlot slot, stage_.pick_linked(random));
	if (!stage_.disk(slot.disk).has_block())
		return idle();
	return slot;
}

Status Writer::write_block(BlockFile &file, BlockHistory &h, const Range &r)
{
	AlignedBuffer buf(r.bytes());
	h.begin_write(r.first, buf.span());
	Status s = file.write_at(h.offset(r.first), buf.span());
	h.end_write(r.first, r.count, s.ok());
	return s;
}

Status Writer::read_block(BlockFile &file, const BlockHistory &h, const Range &r)
{
	AlignedBuffer buf(r.bytes());
	LIO_CHECK(file.read_at(h.offset(r.first), buf.span()));
	return h.verify(r.first, buf.span());
}

/// A few through one open file, so that the path goes with I/O under way.
Status Writer::block_io(Random &random, bool write)
{
	LIO_TRY(StressSlot slot, pick_disk_slot(random));
	LIO_TRY(BlockFile file, stage_.open_block(slot));
	BlockHistory &h = disks_[slot.disk];
	for (uint64_t n = 1 + random() % 8; n; n--) {
		Range r = pick_range(random);
		Status s = write ? write_block(file, h, r) : read_block(file, h, r);
		if (!s)
			return with_path(s.error(), stage_.lun_dir(slot));
	}
	return {};
}

Status Writer::sg_io(Random &random, bool write)
{
	LIO_TRY(StressSlot slot, pick_disk_slot(random));
	LIO_TRY(SgDevice sg, stage_.open_sg(slot));
	BlockHistory &h = disks_[slot.disk];
	Range r = pick_range(random);
	std::vector<uint8_t> buf(r.bytes());
	if (write) {
		h.begin_write(r.first, buf);
		auto reply = sg.execute_past_ua(cdb::write(10, lba_of(h, r), sectors_of(r)), Data::out(buf));
		h.end_write(r.first, r.count, reply && reply->good());
		return !reply ? Status(reply.error()) : reply->good() ? Status() : io_error(*reply, stage_.lun_dir(slot));
	}
	LIO_TRY(ScsiReply reply, sg.execute_past_ua(cdb::read(10, lba_of(h, r), sectors_of(r)), Data::in(buf)));
	if (!reply.good() || reply.residual)
		return io_error(reply, stage_.lun_dir(slot));
	Status s = h.verify(r.first, buf);
	return s ? s : with_path(s.error(), stage_.lun_dir(slot));
}

/// Many reads at a time, of which some are left alone with their answers.
Status Writer::sg_burst(Random &random)
{
	LIO_TRY(StressSlot slot, pick_disk_slot(random));
	LIO_TRY(SgDevice sg, stage_.open_sg(slot));
	LIO_TRY(SgQueue queue, SgQueue::open(sg.path()));
	const BlockHistory &h = disks_[slot.disk];
	std::map<int, std::pair<Range, std::vector<uint8_t>>> sent;
	for (uint64_t n = 2 + random() % 12; n; n--) {
		Range r = pick_range(random);
		std::vector<uint8_t> buf(r.bytes());
		LIO_TRY(int id, queue.submit(cdb::read(10, lba_of(h, r), sectors_of(r)), Data::in(buf)));
		sent.emplace(id, std::pair(r, std::move(buf)));
	}
	for (size_t n = random() % 4 ? sent.size() : sent.size() / 2; n; n--) {
		LIO_TRY(SgQueue::Done done, queue.reap(answer_limit));
		auto &[r, buf] = sent.at(done.id);
		if (!done.reply.good() || done.reply.residual)
			continue;
		if (Status s = h.verify(r.first, buf); !s)
			return with_path(s.error(), stage_.lun_dir(slot));
	}
	return {};
}

Status Writer::sync(Random &random)
{
	LIO_TRY(StressSlot slot, pick_disk_slot(random));
	LIO_TRY(BlockFile file, stage_.open_block(slot));
	return file.sync();
}

/// Commands for a scripted handler, which checks what is written and whose data is known.
Status scripted_io(StressStage &stage, Random &random, bool write)
{
	LIO_TRY(StressSlot slot, stage.pick_linked(random, random() % 2 ? disk_script0 : disk_script1));
	LIO_TRY(SgDevice sg, stage.open_sg(slot));
	auto sectors = static_cast<uint32_t>(1 + random() % 64);
	uint64_t lba = random() % (stress_disk_bytes / 512 - sectors);
	auto data = pattern(sectors * 512u, lba * 512, scripted_generation);
	auto timeout = milliseconds(100 + random() % 8000);
	if (write) {
		LIO_TRY(ScsiReply reply, sg.execute(cdb::write(10, lba, sectors), Data::out(data), timeout));
		return reply.good() ? Status() : io_error(reply, stage.lun_dir(slot));
	}
	std::vector<uint8_t> buf(data.size());
	LIO_TRY(ScsiReply reply, sg.execute(cdb::read(10, lba, sectors), Data::in(buf), timeout));
	if (!reply.good() || reply.residual)
		return io_error(reply, stage.lun_dir(slot));
	if (buf != data)
		return Error{EILSEQ, stage.lun_dir(slot), "wrong data for a READ of block " + std::to_string(lba) + " of"};
	return {};
}

/// Nobody resets, unlinks or kills this one: no error is allowed.
Status calm_io(StressStage &stage, BlockHistory &h, Random &random)
{
	LIO_TRY(BlockFile file, stage.open_calm());
	Range r = pick_range(random);
	AlignedBuffer buf(r.bytes());
	h.begin_write(r.first, buf.span());
	LIO_CHECK(file.write_at(h.offset(r.first), buf.span()));
	h.end_write(r.first, r.count, true);
	r = pick_range(random);
	LIO_CHECK(file.read_at(h.offset(r.first), buf.span().first(std::min(buf.span().size(), r.bytes()))));
	return h.verify(r.first, buf.span().first(std::min(buf.span().size(), r.bytes())));
}

} // namespace

void add_io_actors(StressEngine &engine, StressStage &stage)
{
	for (unsigned n = 0; n < nr_writers; n++) {
		auto w = std::make_shared<Writer>(stage, n);
		engine.add("io-" + std::to_string(n), milliseconds(60),
			   {{"io-write", 6, path_errors, [w](Random &r) { return w->block_io(r, true); }},
			    {"io-read", 6, path_errors, [w](Random &r) { return w->block_io(r, false); }},
			    {"io-sg-write", 3, path_errors, [w](Random &r) { return w->sg_io(r, true); }},
			    {"io-sg-read", 3, path_errors, [w](Random &r) { return w->sg_io(r, false); }},
			    {"io-sg-burst", 2, path_errors, [w](Random &r) { return w->sg_burst(r); }},
			    {"io-sync", 1, path_errors, [w](Random &r) { return w->sync(r); }}});
	}
	engine.add("scripted-io", milliseconds(60),
		   {{"io-scripted-read", 1, path_errors, [&](Random &r) { return scripted_io(stage, r, false); }},
		    {"io-scripted-write", 1, path_errors, [&](Random &r) { return scripted_io(stage, r, true); }}});
	auto calm = std::make_shared<BlockHistory>(0, region_blocks, 0x777, true);
	engine.add("calm-io", milliseconds(200), {{"io-calm", 1, {}, [&stage, calm](Random &r) { return calm_io(stage, *calm, r); }}});
}

} // namespace lio::test
