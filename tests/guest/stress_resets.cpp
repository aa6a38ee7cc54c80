// SPDX-License-Identifier: GPL-2.0
// Task management, and SCSI devices that the initiator's side removes and looks for.
#include "stress_stage.hpp"

namespace lio::test {

namespace {

Status reset(StressStage &stage, Random &random, SgDevice::Reset what)
{
	LIO_TRY(StressSlot slot, stage.pick_linked(random));
	LIO_TRY(SgDevice sg, stage.open_sg(slot));
	Status s = sg.reset(what);
	// There is nothing bigger than a target reset: that is refused, and no more.
	bool none = what == SgDevice::Reset::bus || what == SgDevice::Reset::host;
	return none && s.code() == EIO ? Status() : s;
}

/// Commands whose time is over before or after their answer; most need a slow handler for that.
Status short_timeouts(StressStage &stage, Random &random)
{
	std::optional<size_t> disk;
	if (random() % 2)
		disk = random() % 2 ? disk_script0 : disk_script1;
	LIO_TRY(StressSlot slot, stage.pick_linked(random, disk));
	LIO_TRY(SgDevice sg, stage.open_sg(slot));
	LIO_TRY(SgQueue queue, SgQueue::open(sg.path()));
	std::vector<uint8_t> buf(64 << 10);
	uint64_t sent = 1 + random() % 8;
	for (uint64_t n = 0; n < sent; n++)
		LIO_CHECK(queue.submit(cdb::read(10, random() % 1024, 128), Data::in(buf), milliseconds(1 + random() % 40)));
	for (uint64_t n = 0; n < sent; n++)
		LIO_CHECK(queue.reap(answer_limit));
	return {};
}

Status remove_device(StressStage &stage, Random &random)
{
	LIO_TRY(StressSlot slot, stage.pick_linked(random));
	return write_value(stage.scsi_device(slot) + "/delete", "1");
}

Status rescan_device(StressStage &stage, Random &random)
{
	LIO_TRY(StressSlot slot, stage.pick_linked(random));
	return write_value(stage.scsi_device(slot) + "/rescan", "1");
}

/// One LUN, that is there or not, or all of a target.
Status scan_host(StressStage &stage, Random &random)
{
	const StressSlot &slot = stage.pick_slot(random);
	const std::string &address = stage.tpgs()[slot.tpg].address; // H:0:T
	std::string host = address.substr(0, address.find(':')), target = address.substr(address.rfind(':') + 1);
	std::string lun = random() % 3 ? std::to_string(slot.lun) : "-";
	return write_value("/sys/class/scsi_host/host" + host + "/scan", "0 " + target + " " + lun);
}

} // namespace

void add_reset_actors(StressEngine &engine, StressStage &stage)
{
	using Reset = SgDevice::Reset;
	engine.add("resets", milliseconds(700),
		   {{"reset-device", 4, path_errors, [&](Random &r) { return reset(stage, r, Reset::device); }},
		    {"reset-target", 2, path_errors, [&](Random &r) { return reset(stage, r, Reset::target); }},
		    {"reset-bus", 1, path_errors, [&](Random &r) { return reset(stage, r, Reset::bus); }},
		    {"reset-host", 1, path_errors, [&](Random &r) { return reset(stage, r, Reset::host); }}});
	engine.add("aborts", milliseconds(300), {{"abort", 1, path_errors, [&](Random &r) { return short_timeouts(stage, r); }}});
	// Removal waits for sd's last flush, which waits for a handler.
	engine.add("scans", milliseconds(500),
		   {{"sdev-delete", 2, path_errors, [&](Random &r) { return remove_device(stage, r); }, seconds(120)},
		    {"sdev-rescan", 3, path_errors, [&](Random &r) { return rescan_device(stage, r); }, seconds(120)},
		    {"host-scan", 6, path_errors, [&](Random &r) { return scan_host(stage, r); }, seconds(120)}});
}

} // namespace lio::test
