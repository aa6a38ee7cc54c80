// SPDX-License-Identifier: GPL-2.0
// The data area's pages, and mappings that outlive what they map.
#include <future>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "module.hpp"
#include "pattern.hpp"
#include "process.hpp"
#include "ring_expect.hpp"
#include "scripted_handler.hpp"
#include "tcmu_netlink.hpp"
#include "test_env.hpp"

namespace lio::test {
namespace {

constexpr size_t page = 4096;
constexpr size_t mib = 1 << 20;
const std::string global_limit = module_param_path("target_core_user", "global_max_data_area_mb");

/// READ and check @mb commands of 1 MiB that are in the ring at once; gives their entries.
Result<std::vector<RingEntry>> read_at_once(RingLun &l, size_t mb, uint64_t generation)
{
	std::vector<std::vector<uint8_t>> bufs(mb, std::vector<uint8_t>(mib));
	std::vector<RingEntry> entries;
	std::vector<int> ids;
	for (auto &buf : bufs) {
		LIO_TRY(int id, l.send(cdb::read(16, ids.size() * 2048, 2048), Data::in(buf)));
		LIO_TRY(RingEntry e, l.handler->next());
		if (!l.handler->scatter(e.iov, pattern(mib, ids.size() * mib, generation)))
			return Error{EFAULT, l.sg, "an iovec outside the data area of"};
		ids.push_back(id);
		entries.push_back(e);
	}
	for (const auto &e : entries)
		l.handler->answer(e);
	LIO_CHECK(l.handler->kick());
	for (size_t i = 0; i < mb; i++) {
		LIO_TRY(ScsiReply r, l.reap(ids[i]));
		if (!r.good() || find_mismatch(bufs[i], i * mib, generation))
			return Error{EIO, l.sg, r.str() + " or wrong data from"};
	}
	return entries;
}

/// Is there a page? The kernel looks, so that a hole is EFAULT and no signal.
bool is_backed(const void *at)
{
	static const int null = memfd_create("probe", MFD_CLOEXEC);
	return pwrite(null, at, 1, 0) == 1;
}

size_t backed_pages(const ScriptedHandler &h)
{
	size_t n = 0, start = h.mailbox().cmdr_off + h.mailbox().cmdr_size;
	for (size_t at = start; at < h.size(); at += page)
		n += is_backed(h.map() + at);
	return n;
}

RingSpec area(unsigned mb, const std::string &name = "ring")
{
	RingSpec spec;
	spec.name = name;
	spec.control = {"max_data_area_mb=" + std::to_string(mb)};
	return spec;
}

TEST(RingOursMemory, PagesComeWithCommands)
{
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create(area(32)));
	size_t before = backed_pages(*l.handler);
	EXPECT_LE(before, 64u);
	ASSERT_OK(read_at_once(l, 4, 1));
	EXPECT_GE(backed_pages(*l.handler), 4 * mib / page);
	EXPECT_LE(backed_pages(*l.handler), 4 * mib / page + 256);
	ASSERT_OK(read_at_once(l, 4, 2)); // the same ones again
	EXPECT_LE(backed_pages(*l.handler), 4 * mib / page + 256);
}

/// A page that no command points to is a bus error of whoever touches it.
TEST(RingMemory, HoleIsABusError)
{
	expect_dmesg("^Invalid addr to data page mapping \\(dpi \\d+\\) on device ring$", Need::optional);
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create(area(32)));
	volatile uint8_t *last = l.handler->map() + l.handler->size() - 1;
	for (bool write : {false, true}) {
		ASSERT_OK_AND_ASSIGN(Process child, Process::fork_body("toucher", [=] {
			if (write)
				*last = 1;
			return *last & 0;
		}));
		ASSERT_OK_AND_ASSIGN(int status, child.wait(seconds(10)));
		EXPECT_EQ(status, 128 + SIGBUS);
	}
	ASSERT_OK(read_at_once(l, 1, 1));
}

/// Two devices that together want twice what is left to both: each gets its turn.
TEST(RingMemory, GlobalLimitIsShared)
{
	expect_dmesg("^global_max_data_area", Need::optional);
	ASSERT_OK_AND_ASSIGN(RingLun a, RingLun::create(area(16, "one")));
	ASSERT_OK_AND_ASSIGN(RingLun b, RingLun::create(area(16, "two")));
	ASSERT_OK(read_at_once(a, 8, 1));
	ASSERT_OK_AND_ASSIGN(AttrGuard limit, AttrGuard::set(global_limit, "4"));
	for (uint64_t round = 0; round < 6; round++) {
		SCOPED_TRACE(round);
		// Each has all that there is in turn, and then half of it at the same time.
		ASSERT_OK(read_at_once(a, 3, round));
		ASSERT_OK(read_at_once(b, 3, round));
		ASSERT_OK(read_at_once(a, 1, round));
		ASSERT_OK(read_at_once(b, 1, round));
	}
	// Both at once want 6 MiB: what finds no room waits for the other.
	std::vector<std::vector<uint8_t>> bufs(12, std::vector<uint8_t>(mib / 2));
	std::vector<int> ids[2];
	for (auto &buf : bufs) {
		bool second = ids[1].size() < ids[0].size();
		ASSERT_OK_AND_ASSIGN(int id, (second ? b : a).send(cdb::read(10, 0, 1024), Data::in(buf)));
		ids[second].push_back(id);
	}
	size_t answered = 0;
	for (Deadline deadline(seconds(20)); answered < bufs.size() && !deadline.passed();)
		for (RingLun *l : {&a, &b}) {
			auto e = l->handler->next(milliseconds(20));
			if (e) {
				ASSERT_OK(l->handler->finish(*e));
				answered++;
			}
		}
	EXPECT_EQ(answered, bufs.size());
	for (int i : {0, 1})
		for (int id : ids[i])
			ASSERT_OK((i ? b : a).reap(id));
}

TEST(RingMemory, LimitOfNonsense)
{
	expect_dmesg("^global_max_data_area", Need::optional);
	ASSERT_OK(RingLun::create());
	for (const char *wrong : {"0", "-1", "x", "9999999999"})
		EXPECT_NE(write_value(global_limit, wrong).code(), 0) << wrong;
}

/// Idle pages go when the system is short of memory; mappings notice, data does not.
TEST(RingOursMemory, IdlePagesAreGivenBack)
{
	RingSpec patient = area(64);
	patient.attribs.emplace_back("cmd_time_out", "0");
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create(patient));
	ASSERT_OK(read_at_once(l, 32, 1));
	EXPECT_GE(backed_pages(*l.handler), 32 * mib / page);
	// One command is under way, one buffer kept: their pages stay.
	std::vector<uint8_t> buf(mib);
	ASSERT_OK_AND_ASSIGN(int id, l.send(cdb::read(16, 0, 2048), Data::in(buf), seconds(300)));
	ASSERT_OK_AND_ASSIGN(RingEntry e, l.handler->next());
	ASSERT_TRUE(l.handler->scatter(e.iov, pattern(mib, 0, 5)));

	for (int i = 0; i < 10 && backed_pages(*l.handler) > 2 * mib / page; i++) {
		ASSERT_OK(write_value("/proc/sys/vm/drop_caches", "2"));
		std::this_thread::sleep_for(milliseconds(100));
	}
	EXPECT_LE(backed_pages(*l.handler), mib / page + 64);
	ASSERT_OK(l.handler->finish(e));
	ASSERT_OK_AND_ASSIGN(ScsiReply r, l.reap(id));
	EXPECT_TRUE(r.good()) << r;
	EXPECT_FALSE(find_mismatch(buf, 0, 5));
	ASSERT_OK(read_at_once(l, 8, 6)); // they come again, zeroed and mapped anew
}

// Lifetime.

TEST(RingLifetime, MappingOutlivesTheDevice)
{
	for (int round = 0; round < 2; round++) {
		ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create(area(8)));
		ASSERT_OK_AND_ASSIGN(std::vector<RingEntry> entries, read_at_once(l, 2, 3));
		ScriptedHandler h = std::move(*l.handler);
		l.handler.reset();
		ASSERT_OK(l.detach());
		ASSERT_OK(l.target.destroy());
		ASSERT_OK(l.backstore.destroy());
		EXPECT_FALSE(exists(h.sysfs()));
		EXPECT_EQ(+h.mailbox().version, TCMU_MAILBOX_VERSION);
		EXPECT_EQ(h.head(), +h.mailbox().cmd_tail);
		auto data = h.gather(entries[1].iov);
		ASSERT_TRUE(data);
		EXPECT_FALSE(find_mismatch(*data, mib, 3));
		uint32_t events;
		EXPECT_EQ(read(h.fd(), &events, sizeof(events)), -1);
		EXPECT_ERRNO(h.kick(), EINVAL);
		if (round) // close first, then unmap; the other round the other way
			h.close();
	}
}

/// The device goes under a command that its handler never answered, after a reset.
TEST(RingLifetime, PartsOfAMappingAndForks)
{
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create(area(8)));
	ASSERT_OK(read_at_once(l, 1, 1));
	ScriptedHandler &h = *l.handler;
	uint8_t *map = h.map();
	size_t data = 8 * mib, size = h.size(); // the ring is 8 MiB
	ASSERT_OK_AND_ASSIGN(Process child, Process::fork_body("keeper", [=] {
		volatile uint8_t *version = map;
		std::this_thread::sleep_for(milliseconds(400));
		return *version == TCMU_MAILBOX_VERSION ? 0 : 1;
	}));
	// A hole in the middle, then the end, then the rest.
	EXPECT_EQ(munmap(map + data, page), 0);
	EXPECT_TRUE(is_backed(map + data + page));
	EXPECT_EQ(munmap(map + size - page, page), 0);
	EXPECT_EQ(mprotect(map, page, PROT_READ), 0);
	EXPECT_EQ(mremap(map, page, 2 * page, 0), MAP_FAILED);
	std::string node = h.node();
	h.close();
	EXPECT_ERRNO(open_fd(node, O_RDWR), EBUSY); // the child's
	ASSERT_OK_AND_ASSIGN(int status, child.wait(seconds(10)));
	EXPECT_EQ(status, 0);
	ASSERT_OK_AND_ASSIGN(l.handler, ScriptedHandler::open("ring"));
	ASSERT_OK(read_at_once(l, 1, 2));
}

/// From and to a file, without the page cache, straight out of the data area.
TEST(RingLifetime, DirectIoOfTheDataArea)
{
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create(area(8)));
	ASSERT_OK_AND_ASSIGN(TempDir tmp, TempDir::create("/var/tmp"));
	ASSERT_OK_AND_ASSIGN(Fd file, open_fd(tmp / "image", O_RDWR | O_CREAT | O_DIRECT));
	auto vectors = [&](const RingEntry &e) {
		std::vector<iovec> iov = e.iov;
		for (auto &v : iov)
			v.iov_base = l.handler->map() + reinterpret_cast<uintptr_t>(v.iov_base);
		return iov;
	};
	std::vector<uint8_t> out = pattern(mib, 0, 8), in(mib);
	ASSERT_OK_AND_ASSIGN(int id, l.send(cdb::write(16, 0, 2048), Data::out(out)));
	ASSERT_OK_AND_ASSIGN(RingEntry e, l.handler->next());
	auto iov = vectors(e);
	EXPECT_EQ(pwritev(file.get(), iov.data(), int(iov.size()), 0), ssize_t(mib)) << errno;
	ASSERT_OK(l.handler->finish(e));
	ASSERT_OK(l.reap(id));
	ASSERT_OK_AND_ASSIGN(std::string content, read_file(tmp / "image"));
	EXPECT_FALSE(find_mismatch({reinterpret_cast<const uint8_t *>(content.data()), content.size()}, 0, 8));

	ASSERT_OK_AND_ASSIGN(id, l.send(cdb::read(16, 0, 2048), Data::in(in)));
	ASSERT_OK_AND_ASSIGN(e, l.handler->next());
	ASSERT_TRUE(l.handler->scatter(e.iov, std::vector<uint8_t>(mib)));
	iov = vectors(e);
	EXPECT_EQ(preadv(file.get(), iov.data(), int(iov.size()), 0), ssize_t(mib)) << errno;
	ASSERT_OK(l.handler->finish(e));
	ASSERT_OK(l.reap(id));
	EXPECT_TRUE(in == out);
}

/// An enable that the daemon refused while a handler had the device mapped.
TEST(RingOursLifetime, EnableAgainAfterARefusal)
{
	BackstoreSpec spec = ring_backstore(area(8));
	spec.enable = false;
	ASSERT_OK_AND_ASSIGN(Backstore b, Backstore::create(spec));
	ASSERT_OK_AND_ASSIGN(NlDaemon daemon, NlDaemon::start());
	ASSERT_OK(daemon.set_features(1));
	auto enable = [&](int status, auto during) {
		auto up = std::async(std::launch::async, [&] { return b.enable(); });
		auto e = daemon.next();
		EXPECT_OK(e);
		during();
		if (e) {
			EXPECT_OK(daemon.done(*e, status));
		}
		return up.get();
	};
	std::optional<ScriptedHandler> h;
	EXPECT_ERRNO(enable(-EIO, [&] {
		auto opened = ScriptedHandler::open("ring");
		ASSERT_OK(opened);
		h = std::move(*opened);
	}), EIO);
	ASSERT_TRUE(h);
	EXPECT_EQ(+h->mailbox().version, TCMU_MAILBOX_VERSION);
	EXPECT_ERRNO(b.enable(), EBUSY); // the old memory is the handler's still
	h->close();
	ASSERT_OK(enable(0, [] {}));
	ASSERT_OK_AND_ASSIGN(ScriptedHandler again, ScriptedHandler::open("ring"));
	auto down = std::async(std::launch::async, [&] { return b.destroy(); });
	ASSERT_OK_AND_ASSIGN(NlEvent e, daemon.next());
	ASSERT_OK(daemon.done(e, 0));
	EXPECT_OK(down.get());
	ASSERT_OK(daemon.set_features(0));
}

/// Answers commands as fast as it can, without a thought for whoever does the same.
int answer_blindly(ScriptedHandler &h)
{
	for (;;) {
		auto e = h.fetch(milliseconds(50));
		if (e)
			static_cast<void>(h.finish(*e));
		else if (e.code() != ETIMEDOUT)
			h.restart();
	}
}

/// Two processes with the same mapping answer the same commands.
TEST(RingOursLifetime, TwoHandlersFight)
{
	expect_dmesg("^ring: the handler broke the command ring; write 1 or 2 to reset_ring$", Need::optional);
	expect_dmesg("^ring: the handler did not answer in time$", Need::optional);
	RingSpec spec = area(8);
	spec.attribs = {{"cmd_time_out", "2"}};
	ASSERT_OK_AND_ASSIGN(RingLun l, RingLun::create(spec));
	ASSERT_OK_AND_ASSIGN(RingLun other, RingLun::create(area(8, "other")));
	std::vector<uint8_t> bufs[48];
	for (int round = 0; round < 4; round++) {
		ASSERT_OK_AND_ASSIGN(Process one, Process::fork_body("one", [&] { return answer_blindly(*l.handler); }));
		ASSERT_OK_AND_ASSIGN(Process two, Process::fork_body("two", [&] { return answer_blindly(*l.handler); }));
		std::vector<int> ids;
		for (auto &buf : bufs) {
			buf.resize(4096);
			ASSERT_OK_AND_ASSIGN(int id, l.send(cdb::read(10, 0, 8), Data::in(buf)));
			ids.push_back(id);
		}
		ASSERT_OK(read_at_once(other, 1, 1)); // does not notice
		for (int id : ids)
			ASSERT_TRUE(l.ends(id, seconds(20)));
		ASSERT_OK(one.stop(milliseconds(0)));
		ASSERT_OK(two.stop(milliseconds(0)));
		ASSERT_OK(l.backstore.action("reset_ring", "2"));
		l.handler->restart();
		for (int id : ids)
			ASSERT_OK(l.reap(id));
		ASSERT_OK(read_at_once(l, 2, 2));
	}
}

} // namespace
} // namespace lio::test
