// SPDX-License-Identifier: GPL-2.0
#include "tcmu_common.hpp"

#include <csignal>
#include <sstream>

#include "module.hpp"
#include "pattern.hpp"
#include "seed.hpp"

namespace lio::test {

namespace {

constexpr uint64_t round_bytes = 256 << 10;

volatile sig_atomic_t told_to_stop;

/// One round: a pattern of its own somewhere on the disk, written and read back.
Status one_round(BlockFile &disk, uint64_t bytes, std::mt19937_64 &random, unsigned generation)
{
	uint64_t offset = random() % (bytes / round_bytes) * round_bytes;
	LIO_CHECK(disk.write_pattern(offset, round_bytes, generation));
	return disk.verify_pattern(offset, round_bytes, generation);
}

int background_body(const std::string &node, uint64_t bytes)
{
	signal(SIGTERM, [](int) { told_to_stop = 1; });
	auto disk = BlockFile::open(node);
	if (!disk) {
		printf("error %s\n", disk.error().str().c_str());
		return 1;
	}
	auto random = rng("background");
	unsigned rounds = 0;
	double slowest = 0;
	while (!told_to_stop) {
		Stopwatch watch;
		if (Status s = one_round(*disk, bytes, random, rounds); !s) {
			printf("error %s\n", s.error().str().c_str());
			return 1;
		}
		slowest = std::max(slowest, watch.seconds());
		rounds++;
	}
	printf("rounds %u %f\n", rounds, slowest);
	return 0;
}

struct CpuTimes {
	uint64_t idle = 0, all = 0;
};

Result<CpuTimes> cpu_times()
{
	LIO_TRY(std::string text, read_file("/proc/stat"));
	std::istringstream in(text);
	std::string cpu;
	in >> cpu;
	CpuTimes t;
	uint64_t ticks;
	// user nice system idle iowait irq softirq steal
	for (int field = 0; field < 8 && in >> ticks; field++) {
		t.all += ticks;
		if (field == 3 || field == 4)
			t.idle += ticks;
	}
	return t;
}

Result<BackstoreSpec> make_spec(Server server, const std::string &name, const std::string &image, uint64_t bytes)
{
	if (server == Server::tcmu_runner) {
		LIO_CHECK(run_ok({"qemu-img", "create", "-q", "-f", "qcow2", image, std::to_string(bytes)}));
		return user_spec(name, "qcow/" + image, bytes);
	}
	LIO_CHECK(make_sparse_file(image, bytes));
	return user_spec(name, "file/" + image, bytes);
}

} // namespace

Status LiveHandler::start()
{
	if (server_ == Server::tcmu_runner) {
		LIO_TRY(TcmuRunner runner, TcmuRunner::start());
		runner_.emplace(std::move(runner));
		return {};
	}
	LIO_TRY(Process p, Process::spawn({"tcmu-file", "--quiet", "--ready-fd", "1", "--device", backstore_}));
	file_.emplace(std::move(p));
	// Before it listens nobody would answer the announcement of a new device, for which the
	// kernel waits once any handler has asked it to.
	LIO_CHECK(wait_until(Deadline(seconds(60)), "tcmu-file to be ready", [&] {
		return file_->output().find("ready") != std::string::npos || !file_->running();
	}));
	return file_->running() ? Status() : Error{ECHILD, "tcmu-file", "it ended (" + file_->output() + "):"};
}

Status LiveHandler::wait_owns(milliseconds limit)
{
	Deadline deadline(limit);
	LIO_TRY(std::string node, uio_node(backstore_, limit));
	Status s = wait_until(deadline, "the handler to open " + node,
			      [&] { return process_has_open(process().pid(), node) || !process().running(); });
	if (!process().running())
		return Error{ECHILD, process().name(), "it ended (" + process().output() + "):"};
	return s;
}

Status LiveHandler::kill9()
{
	LIO_CHECK(process().kill(SIGKILL));
	LIO_CHECK(process().wait(seconds(60)));
	return server_ == Server::tcmu_runner ? repair_qcow(image_) : Status();
}

Status LiveHandler::stop()
{
	return process().stop(seconds(60));
}

std::string LiveHandler::output() const
{
	return const_cast<LiveHandler *>(this)->process().output();
}

Result<ServedDisk> ServedDisk::create(Server server, const std::string &name, uint64_t bytes,
				      std::vector<std::pair<std::string, std::string>> attribs,
				      std::vector<std::string> control)
{
	LIO_CHECK(ensure_target_core());
	LIO_CHECK(load_module("target_core_user"));
	LIO_TRY(TempDir dir, TempDir::create("/var/tmp"));
	LIO_TRY(BackstoreSpec spec, make_spec(server, name, dir / "image", bytes));
	spec.attribs = std::move(attribs);
	spec.control.insert(spec.control.end(), control.begin(), control.end());
	auto handler = std::make_unique<LiveHandler>(server, name, dir / "image");
	ServedDisk served{std::move(dir), std::move(handler), {}};
	LIO_CHECK(served.handler->start());
	LIO_TRY(LoopDisk disk, LoopDisk::create(spec));
	served.disk.emplace(std::move(disk));
	LIO_CHECK(served.handler->wait_owns());
	return served;
}

Result<Background> Background::start(const std::string &node, uint64_t bytes)
{
	LIO_TRY(Process p, Process::fork_body("background I/O", [=] { return background_body(node, bytes); }));
	return Background(std::move(p));
}

Result<Background::Report> Background::stop()
{
	LIO_CHECK(process_.stop(seconds(60)));
	Report r;
	if (sscanf(process_.output().c_str(), "rounds %u %lf", &r.rounds, &r.slowest) != 2)
		return Error{EIO, process_.name(), process_.output()};
	return r;
}

Result<double> idle_share(milliseconds span)
{
	LIO_TRY(CpuTimes before, cpu_times());
	std::this_thread::sleep_for(span);
	LIO_TRY(CpuTimes after, cpu_times());
	return double(after.idle - before.idle) / double(std::max<uint64_t>(1, after.all - before.all));
}

} // namespace lio::test
