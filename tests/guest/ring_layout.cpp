// SPDX-License-Identifier: GPL-2.0
// What <linux/target_core_user.h> says of the shared memory: mailbox, entries, data, doorbells.
#include <future>

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "block_io.hpp"
#include "pattern.hpp"
#include "scripted_handler.hpp"
#include "seed.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

constexpr size_t page = 4096;

/// A device without a LUN, and its UIO node.
struct BareDevice {
	Backstore backstore;
	std::string node;
};

Result<BareDevice> bare_device(const RingSpec &spec)
{
	LIO_TRY(Backstore b, Backstore::create(ring_backstore(spec)));
	LIO_TRY(std::string node, uio_node(spec.name));
	return BareDevice{std::move(b), node};
}

TEST(RingLayout, MailboxOfEverySize)
{
	for (unsigned mb : {1u, 3u, 8u}) {
		SCOPED_TRACE(mb);
		RingSpec spec;
		spec.control = {"cmd_ring_size_mb=" + std::to_string(mb), "max_data_area_mb=2"};
		ASSERT_OK_AND_ASSIGN(BareDevice d, bare_device(spec));
		ASSERT_OK_AND_ASSIGN(ScriptedHandler h, ScriptedHandler::open_node(d.node));
		EXPECT_EQ(h.size(), size_t(mb + 2) << 20);
		volatile tcmu_mailbox &m = h.mailbox();
		EXPECT_EQ(+m.version, TCMU_MAILBOX_VERSION);
		EXPECT_EQ(+m.flags, TCMU_MAILBOX_FLAG_CAP_OOOC | TCMU_MAILBOX_FLAG_CAP_READ_LEN |
					   TCMU_MAILBOX_FLAG_CAP_TMR | TCMU_MAILBOX_FLAG_CAP_KEEP_BUF);
		EXPECT_EQ(+m.cmdr_off, sizeof(tcmu_mailbox));
		EXPECT_EQ(m.cmdr_off + m.cmdr_size, mb << 20);
		EXPECT_EQ(+m.cmd_head, 0u);
		EXPECT_EQ(+m.cmd_tail, 0u);
	}
}

/// The distribution's module divides by it.
TEST(RingOursLayout, NoPagesPerBlock)
{
	expect_dmesg("^data_pages_per_blk must be a number above 0, not '0'$", Need::required);
	RingSpec spec;
	spec.control = {"data_pages_per_blk=0"};
	EXPECT_ERRNO(Backstore::create(ring_backstore(spec)), EINVAL);
}

TEST(RingOursLayout, SlotsBeyondTheLimits)
{
	expect_dmesg("^data_pages_per_blk 257 is more than max_data_area_mb 1 has pages$", Need::required);
	RingSpec spec;
	spec.control = {"max_data_area_mb=1,data_pages_per_blk=257"};
	EXPECT_ERRNO(Backstore::create(ring_backstore(spec)), EINVAL);
}

TEST(RingLayout, SysfsNamesTheDevice)
{
	RingSpec spec;
	ASSERT_OK_AND_ASSIGN(BareDevice d, bare_device(spec));
	ASSERT_OK_AND_ASSIGN(ScriptedHandler h, ScriptedHandler::open_node(d.node));
	std::string hba = d.backstore.path().substr(0, d.backstore.path().rfind('/'));
	ASSERT_OK_AND_ASSIGN(std::string name, read_value(h.sysfs() + "/name"));
	EXPECT_EQ(name, "tcm-user/" + hba.substr(hba.rfind('_') + 1) + "/ring/scripted/ring");
	ASSERT_OK_AND_ASSIGN(std::string version, read_value(h.sysfs() + "/version"));
	EXPECT_EQ(version, "2");
	ASSERT_OK_AND_ASSIGN(std::string map, read_value(h.sysfs() + "/maps/map0/name"));
	EXPECT_EQ(map, "tcm-user command & data buffer");
}

TEST(RingLayout, OpenIsExclusive)
{
	ASSERT_OK_AND_ASSIGN(BareDevice d, bare_device({}));
	{
		ASSERT_OK_AND_ASSIGN(Fd first, open_fd(d.node, O_RDWR));
		EXPECT_ERRNO(open_fd(d.node, O_RDWR), EBUSY);
		EXPECT_ERRNO(open_fd(d.node, O_RDONLY), EBUSY);
	}
	ASSERT_OK_AND_ASSIGN(ScriptedHandler h, ScriptedHandler::open_node(d.node));
	EXPECT_ERRNO(open_fd(d.node, O_RDWR), EBUSY);
	// A mapping keeps the file open.
	void *map = mmap(nullptr, h.size(), PROT_READ, MAP_SHARED, h.fd(), 0);
	ASSERT_NE(map, MAP_FAILED);
	size_t size = h.size();
	h.close();
	EXPECT_ERRNO(open_fd(d.node, O_RDWR), EBUSY);
	munmap(map, size);
	EXPECT_OK(open_fd(d.node, O_RDWR));
}

TEST(RingLayout, MmapTakesTheWholeAreaOnly)
{
	ASSERT_OK_AND_ASSIGN(BareDevice d, bare_device({}));
	ASSERT_OK_AND_ASSIGN(ScriptedHandler h, ScriptedHandler::open_node(d.node));
	struct {
		size_t len;
		off_t offset;
	} wrong[] = {{h.size() - page, 0}, {page, 0}, {h.size() + page, 0}, {h.size(), page}, {page, 4 * page}};
	for (auto [len, offset] : wrong) {
		errno = 0;
		EXPECT_EQ(mmap(nullptr, len, PROT_READ | PROT_WRITE, MAP_SHARED, h.fd(), offset), MAP_FAILED) << len;
		EXPECT_EQ(errno, EINVAL) << len << " at " << offset;
	}
}

void check_entry(const RingLun &l, const RingEntry &e, const Cdb &cdb, size_t data_len)
{
	EXPECT_EQ(e.op, TCMU_OP_CMD);
	EXPECT_EQ(e.pos % TCMU_OP_ALIGN_SIZE, 0u);
	EXPECT_GE(e.len, sizeof(tcmu_cmd_entry));
	EXPECT_EQ(e.kflags, 0);
	EXPECT_EQ(e.uflags, 0);
	EXPECT_EQ(e.dif_cnt, 0u);
	EXPECT_TRUE(e.bidi.empty());
	EXPECT_EQ(e.data_len(), data_len);
	// The CDB lies inside the entry, behind the iovecs and behind the response.
	uint64_t start = l.handler->mailbox().cmdr_off + e.pos;
	EXPECT_GE(e.cdb_off, start + sizeof(tcmu_cmd_entry));
	EXPECT_GE(e.cdb_off, start + offsetof(tcmu_cmd_entry, req.iov) + e.iov.size() * sizeof(iovec));
	EXPECT_LE(e.cdb_off + cdb.size(), start + e.len);
	EXPECT_EQ(e.cdb, std::vector<uint8_t>(cdb.data(), cdb.data() + cdb.size()));
}

TEST(RingLayout, EntriesOfEveryCdbLength)
{
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create());
	std::vector<uint8_t> buf(4096);
	for (int form : {6, 10, 12, 16, 32}) {
		SCOPED_TRACE(form);
		Cdb rd = cdb::read(form, 0x1234, 8), wr = cdb::write(form, 0x1234, 8);
		ASSERT_OK_AND_ASSIGN(int r, l.send(rd, Data::in(buf)));
		ASSERT_OK_AND_ASSIGN(RingEntry e, l.handler->next());
		check_entry(l, e, rd, buf.size());
		ASSERT_TRUE(l.handler->scatter(e.iov, pattern(buf.size(), 0, form)));
		ASSERT_OK(l.handler->finish(e));
		ASSERT_OK_AND_ASSIGN(ScsiReply reply, l.reap(r));
		EXPECT_TRUE(reply.good()) << reply;
		EXPECT_FALSE(find_mismatch(buf, 0, form));

		ASSERT_OK_AND_ASSIGN(int w, l.send(wr, Data::out(buf)));
		ASSERT_OK_AND_ASSIGN(e, l.handler->next());
		check_entry(l, e, wr, buf.size());
		EXPECT_EQ(l.handler->gather(e.iov), buf);
		ASSERT_OK(l.handler->finish(e));
		ASSERT_OK_AND_ASSIGN(reply, l.reap(w));
		EXPECT_TRUE(reply.good()) << reply;
	}
	// No data: no iovec.
	ASSERT_OK_AND_ASSIGN(int s, l.send(cdb::sync_cache(10)));
	ASSERT_OK_AND_ASSIGN(RingEntry e, l.handler->next());
	check_entry(l, e, cdb::sync_cache(10), 0);
	EXPECT_TRUE(e.iov.empty());
	ASSERT_OK(l.handler->finish(e));
	ASSERT_OK_AND_ASSIGN(ScsiReply reply, l.reap(s));
	EXPECT_TRUE(reply.good()) << reply;
}

/// A command through bsg; the handler does @handle before it answers.
template <class Handle> void bsg_move(RingLun &l, const Cdb &cdb, Data data, Handle handle)
{
	auto sent = std::async(std::launch::async, [&] { return l.execute_mapped(cdb, data); });
	auto e = l.handler->next();
	EXPECT_OK(e);
	if (e) {
		EXPECT_EQ(e->data_len(), data.buffer.size());
		handle(*e);
		EXPECT_OK(l.handler->finish(*e));
	}
	ASSERT_OK_AND_ASSIGN(ScsiReply r, sent.get());
	EXPECT_TRUE(r.good()) << r;
	EXPECT_EQ(r.residual, 0);
}

TEST(RingLayout, LongScatterLists)
{
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create());
	constexpr size_t len = 256 * page; // as many pages as tcm_loop takes entries
	AlignedBuffer buffer(len);
	fill_pattern(buffer.span(), 0, 1);
	bsg_move(l, cdb::write(16, 0, len / 512), Data::out(buffer.span()), [&](const RingEntry &e) {
		auto got = l.handler->gather(e.iov);
		ASSERT_TRUE(got);
		EXPECT_FALSE(find_mismatch(*got, 0, 1));
	});
	bsg_move(l, cdb::read(16, 0, len / 512), Data::in(buffer.span()), [&](const RingEntry &e) {
		EXPECT_TRUE(l.handler->scatter(e.iov, pattern(len, 0, 2)));
	});
	EXPECT_FALSE(find_mismatch(buffer.span(), 0, 2));
}

/// One command with @len bytes each way: every byte arrives where it belongs.
void move_data(RingLun &l, size_t len, uint64_t generation)
{
	auto blocks = static_cast<uint32_t>((len + 511) / 512);
	std::vector<uint8_t> sent = pattern(len, 0, generation), got(len, 0xee);
	ASSERT_OK_AND_ASSIGN(int w, l.send(cdb::write(16, 0, blocks), Data::out(sent)));
	ASSERT_OK_AND_ASSIGN(RingEntry e, l.handler->next());
	ASSERT_EQ(e.data_len(), len);
	EXPECT_TRUE(l.handler->gather(e.iov) == sent);
	ASSERT_OK(l.handler->finish(e));
	ASSERT_OK_AND_ASSIGN(ScsiReply reply, l.reap(w));
	EXPECT_TRUE(reply.good()) << reply;
	EXPECT_EQ(reply.residual, 0);

	ASSERT_OK_AND_ASSIGN(int r, l.send(cdb::read(16, 0, blocks), Data::in(got)));
	ASSERT_OK_AND_ASSIGN(e, l.handler->next());
	ASSERT_EQ(e.data_len(), len);
	ASSERT_TRUE(l.handler->scatter(e.iov, pattern(len, 0, generation + 1)));
	ASSERT_OK(l.handler->finish(e));
	ASSERT_OK_AND_ASSIGN(reply, l.reap(r));
	EXPECT_TRUE(reply.good()) << reply;
	EXPECT_FALSE(find_mismatch(got, 0, generation + 1));
}

class RingData : public testing::TestWithParam<unsigned> {};

TEST_P(RingData, BothDirectionsInOddSizes)
{
	RingSpec spec;
	spec.control = {"data_pages_per_blk=" + std::to_string(GetParam()), "max_data_area_mb=16"};
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create(spec));
	uint64_t generation = 1;
	for (size_t len : {512, 1536, 4096, 4608, 8 * 7 * 512, 65536, 69632, 70000, 1 << 20}) {
		SCOPED_TRACE(len);
		ASSERT_NO_FATAL_FAILURE(move_data(l, len, generation += 2));
	}
}

INSTANTIATE_TEST_SUITE_P(PagesPerBlock, RingData, testing::Values(1, 2, 7));

/// Data slots that are not neighbours: an entry with many iovecs.
TEST(RingLayout, ScatteredData)
{
	RingSpec spec;
	spec.control = {"max_data_area_mb=2"};
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create(spec));
	// All of the area by commands of one page each; every second one ends.
	constexpr size_t slots = 2 * 256;
	std::vector<std::vector<uint8_t>> bufs(slots, std::vector<uint8_t>(page));
	std::vector<int> ids(slots);
	std::vector<RingEntry> entries;
	for (size_t i = 0; i < slots; i++) {
		ASSERT_OK_AND_ASSIGN(ids[i], l.send(cdb::read(10, i * 8, 8), Data::in(bufs[i])));
		ASSERT_OK_AND_ASSIGN(RingEntry e, l.handler->next());
		entries.push_back(e);
	}
	for (size_t i = 0; i < slots; i += 2)
		l.handler->answer(entries[i]);
	ASSERT_OK(l.handler->kick());
	for (size_t i = 0; i < slots; i += 2)
		ASSERT_OK(l.reap(ids[i]));

	std::vector<uint8_t> sent = pattern(slots / 2 * page, 0, 9);
	ASSERT_OK_AND_ASSIGN(int w, l.send(cdb::write(16, 0, uint32_t(sent.size() / 512)), Data::out(sent)));
	ASSERT_OK_AND_ASSIGN(RingEntry e, l.handler->next());
	EXPECT_GT(e.iov.size(), 100u);
	EXPECT_TRUE(l.handler->gather(e.iov) == sent);
	l.handler->answer(e);
	for (size_t i = 1; i < slots; i += 2)
		l.handler->answer(entries[i]);
	ASSERT_OK(l.handler->kick());
	ASSERT_OK_AND_ASSIGN(ScsiReply reply, l.reap(w));
	EXPECT_TRUE(reply.good()) << reply;
	for (size_t i = 1; i < slots; i += 2)
		ASSERT_OK(l.reap(ids[i]));
}

TEST(RingLayout, LapsWithPadding)
{
	RingSpec spec;
	spec.control = {"cmd_ring_size_mb=1", "max_data_area_mb=1"};
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create(spec));
	const unsigned laps = static_cast<unsigned>(count(1, 4));
	unsigned lap = 0;
	uint32_t last = 0;
	uint8_t form = 0;
	std::vector<uint8_t> buf(512);
	// Entries of several lengths, in batches: some lap ends in a PAD.
	while (lap < laps || l.handler->pads() == 0) {
		ASSERT_LT(lap, laps + 8) << "no PAD in so many laps";
		std::vector<int> ids;
		for (int i = 0; i < 64; i++) {
			Cdb c = ++form % 3 ? cdb::sync_cache(10) : cdb::read(32, 0, 1);
			ASSERT_OK_AND_ASSIGN(int id, l.send(c, form % 3 ? Data::none() : Data::in(buf)));
			ids.push_back(id);
		}
		for (size_t i = 0; i < ids.size(); i++) {
			ASSERT_OK_AND_ASSIGN(RingEntry e, l.handler->next());
			EXPECT_LE(e.pos + e.len, +l.handler->mailbox().cmdr_size);
			lap += e.pos < last;
			last = e.pos;
			l.handler->answer(e);
		}
		ASSERT_OK(l.handler->kick());
		for (int id : ids) {
			ASSERT_OK_AND_ASSIGN(ScsiReply r, l.reap(id));
			ASSERT_TRUE(r.good()) << r;
		}
	}
}

TEST(RingDoorbell, KernelRingsAndHandlerRings)
{
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create());
	pollfd p = {l.handler->fd(), POLLIN, 0};
	EXPECT_EQ(poll(&p, 1, 0), 0) << "an event without an entry";
	ASSERT_OK_AND_ASSIGN(int a, l.send(cdb::sync_cache(10)));
	EXPECT_EQ(poll(&p, 1, 10000), 1);
	int32_t first = 0, second = 0;
	EXPECT_EQ(read(l.handler->fd(), &first, sizeof(first)), ssize_t(sizeof(first)));
	ASSERT_OK_AND_ASSIGN(int b, l.send(cdb::sync_cache(16)));
	EXPECT_EQ(poll(&p, 1, 10000), 1);
	EXPECT_EQ(read(l.handler->fd(), &second, sizeof(second)), ssize_t(sizeof(second)));
	EXPECT_EQ(second, first + 1);

	ASSERT_OK_AND_ASSIGN(RingEntry ea, l.handler->next());
	ASSERT_OK_AND_ASSIGN(RingEntry eb, l.handler->next());
	l.handler->answer(ea);
	l.handler->answer(eb);
	EXPECT_FALSE(l.ends(a, milliseconds(300))) << "answered without the handler's doorbell";
	ASSERT_OK(l.handler->kick()); // one for both
	for (int id : {a, b}) {
		ASSERT_OK_AND_ASSIGN(ScsiReply r, l.reap(id));
		EXPECT_TRUE(r.good()) << r;
	}
	// Needless ones, and such with any number in them, do no harm.
	for (int32_t any : {0, 1, -1}) {
		EXPECT_EQ(write(l.handler->fd(), &any, sizeof(any)), ssize_t(sizeof(any)));
	}
	uint8_t half[2] = {};
	EXPECT_EQ(write(l.handler->fd(), half, sizeof(half)), -1);
	EXPECT_EQ(errno, EINVAL);
}

} // namespace
} // namespace lio::test
