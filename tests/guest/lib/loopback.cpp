// SPDX-License-Identifier: GPL-2.0
#include "loopback.hpp"

#include <gtest/gtest.h>

#include <cstdio>

#include <fcntl.h>

#include "block_io.hpp"
#include "module.hpp"
#include "seed.hpp"
#include "test_env.hpp"

namespace lio::test {

namespace {

const std::string fabric = target_root + "/loopback";

} // namespace

Status ensure_loopback()
{
	LIO_CHECK(ensure_target_core());
	for (const char *module : {"sd_mod", "sg", "tcm_loop"})
		LIO_CHECK(load_module(module));
	if (!exists(fabric))
		LIO_CHECK(make_dir(fabric)); // registered by the core, kept until the module goes
	return {};
}

std::string fresh_naa()
{
	static uint64_t next = rng("naa")() & 0xffffff0000;
	char buf[32];
	snprintf(buf, sizeof(buf), "naa.500140%010llx", static_cast<unsigned long long>(next++));
	return buf;
}

LoopLun &LoopLun::operator=(LoopLun &&o) noexcept
{
	link_ = std::move(o.link_); // the link goes before its directory
	dir_ = std::move(o.dir_);
	tpg_ = std::move(o.tpg_);
	lun_ = o.lun_;
	return *this;
}

Result<std::string> LoopLun::scsi_address() const
{
	LIO_TRY(std::string hct, read_value(tpg_ + "/address"));
	return hct + ":" + std::to_string(lun_);
}

Result<std::string> LoopLun::scsi_device() const
{
	LIO_TRY(std::string a, scsi_address());
	return "/sys/bus/scsi/devices/" + a;
}

Result<std::string> LoopLun::child_node(const char *kind, milliseconds limit) const
{
	LIO_TRY(std::string dev, scsi_device());
	std::string node, dir = dev + "/" + kind;
	LIO_CHECK(wait_until(Deadline(limit), dir, [&] {
		auto names = list_dir(dir);
		if (!names || names->empty())
			return false;
		node = "/dev/" + names->front();
		// A disk's node is there before it can be opened, and opening waits for sd's probe.
		return open_fd(node, O_RDONLY | O_NONBLOCK).ok();
	}));
	return node;
}

Result<std::string> LoopLun::sg_node(milliseconds limit) const
{
	return child_node("scsi_generic", limit);
}

namespace {

/// Nothing says when sd has looked for partitions, which it does once more after the node can be opened: when the
/// disk has been quiet for a while. A disk that goes meanwhile makes the kernel log errors of that look.
void wait_for_partition_scan(const std::string &node)
{
	constexpr int quiet_looks = 3;
	int quiet = 0;
	uint64_t seen = 0;
	(void)wait_until(Deadline(seconds(5)), "the look for partitions", [&] {
		auto stat = disk_stat(node);
		bool still = stat && stat->reads && !stat->in_flight && stat->reads == seen;
		seen = stat ? stat->reads : 0;
		quiet = still ? quiet + 1 : 0;
		return quiet == quiet_looks;
	}, milliseconds(20));
}

} // namespace

Result<std::string> LoopLun::block_node(milliseconds limit) const
{
	LIO_TRY(std::string node, child_node("block", limit));
	wait_for_partition_scan(node);
	return node;
}

Result<SgDevice> LoopLun::open_sg(milliseconds limit) const
{
	LIO_TRY(std::string node, sg_node(limit));
	return SgDevice::open(node);
}

Status LoopLun::destroy(milliseconds limit)
{
	LIO_CHECK(link_.remove(limit));
	return dir_.remove(limit);
}

void LoopLun::release()
{
	link_.release();
	dir_.release();
}

Result<LoopTarget> LoopTarget::create(const LoopSpec &spec)
{
	LIO_CHECK(ensure_loopback());
	std::string wwn = spec.wwn.empty() ? fresh_naa() : spec.wwn;
	LIO_TRY(Removal dir, make_dir_guard(fabric + "/" + wwn));
	LIO_TRY(Removal tpg, make_dir_guard(dir.path() + "/tpgt_" + std::to_string(spec.tpgt)));
	LoopTarget t(wwn, std::move(dir), std::move(tpg));
	if (spec.nexus)
		LIO_CHECK(t.make_nexus(spec.initiator.empty() ? wwn : spec.initiator));
	return t;
}

Status LoopTarget::make_nexus(const std::string &initiator)
{
	LIO_CHECK(write_value(tpg() + "/nexus", initiator));
	nexus_ = true;
	return {};
}

Status LoopTarget::drop_nexus(milliseconds limit)
{
	nexus_ = false;
	return write_value_within(tpg() + "/nexus", "NULL", limit);
}

Result<LoopLun> LoopTarget::add_lun(uint64_t lun, const Backstore &backstore) const
{
	// sd of 6.12 asks for the IO Advice Hints subpage, and the distribution's core complains.
	expect_dmesg("^MODE SENSE: unimplemented page/subpage: 0x0a/0x05$", Need::optional);
	LIO_TRY(Removal dir, make_dir_guard(tpg() + "/lun/lun_" + std::to_string(lun)));
	LIO_TRY(Removal link, make_link_guard(backstore.path(), dir.path() + "/" + backstore.name()));
	return LoopLun(tpg(), lun, std::move(dir), std::move(link));
}

Status LoopTarget::destroy(milliseconds limit)
{
	if (nexus_ && tpg_dir_.armed())
		LIO_CHECK(drop_nexus(limit));
	LIO_CHECK(tpg_dir_.remove(limit));
	return wwn_dir_.remove(limit);
}

void LoopTarget::release()
{
	tpg_dir_.release();
	wwn_dir_.release();
}

LoopTarget::~LoopTarget()
{
	if (!wwn_dir_.armed())
		return;
	if (Status s = destroy(); !s)
		ADD_FAILURE() << "clean-up: " << s.error();
}

Result<LoopDisk> LoopDisk::create(const BackstoreSpec &spec)
{
	LIO_TRY(Backstore b, Backstore::create(spec));
	LIO_TRY(LoopTarget t, LoopTarget::create());
	LIO_TRY(LoopLun l, t.add_lun(0, b));
	LIO_CHECK(l.block_node(seconds(60)));
	return LoopDisk{std::move(b), std::move(t), std::move(l)};
}

} // namespace lio::test
