// SPDX-License-Identifier: GPL-2.0
#include "fault_injection.hpp"

#include <cstdio>
#include <sstream>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <unistd.h>

namespace lio::test {

namespace {

const std::string debugfs = "/sys/kernel/debug", tracefs = "/sys/kernel/tracing";

/// Far more than what any scenario leaves to be counted.
constexpr uint64_t calibration_limit = 20000;

Status mount_once(const std::string &dir, const char *type, const std::string &probe)
{
	if (!exists(probe) && mount(type, dir.c_str(), type, 0, nullptr))
		return sys_error(dir, std::string("mount ") + type + " on");
	return exists(probe) ? Status() : Error{ENOENT, probe, "this kernel lacks"};
}

/// Make some allocations; a failure is whoever's that reads the attribute's `times`.
void use_slab()
{
	if (int fd = eventfd(0, 0); fd >= 0)
		close(fd);
}

void use_pages()
{
	static char page[4096] = {1}; // its own page is there before
	int ends[2];
	if (pipe2(ends, O_NONBLOCK))
		return;
	for (int i = 0; i < 16; i++)
		if (write(ends[1], page, sizeof(page)) < 0)
			break;
	close(ends[0]);
	close(ends[1]);
}

} // namespace

const char *fault_kind_name(FaultKind kind)
{
	return kind == FaultKind::slab ? "slab" : "page";
}

Result<FaultInjector> FaultInjector::create()
{
	FaultInjector f;
	LIO_CHECK(mount_once(debugfs, "debugfs", debugfs + "/failslab"));
	LIO_CHECK(mount_once(tracefs, "tracefs", tracefs + "/kprobe_events"));
	f.attrs_ = {Attr{debugfs + "/failslab"}, Attr{debugfs + "/fail_page_alloc"}};
	LIO_CHECK(f.find_addresses());
	for (FaultKind k : {FaultKind::slab, FaultKind::page})
		LIO_CHECK(f.prepare_attr(k));
	LIO_CHECK(f.set(FaultKind::page, "ignore-gfp-highmem", 0));
	LIO_CHECK(f.set(FaultKind::page, "min-order", 0));
	LIO_TRY(f.make_it_fail_, open_fd("/proc/thread-self/make-it-fail", O_WRONLY));
	LIO_CHECK(f.prepare_tracing());
	return f;
}

FaultInjector::~FaultInjector()
{
	if (!make_it_fail_)
		return;
	set_make_it_fail(false);
	(void)set(armed_, "times", 0);
	(void)write_value(tracefs + "/events/fault/enable", "0");
	for (const char *probe : {"slab", "page", "text"})
		(void)write_value(tracefs + "/kprobe_events", std::string("-:fault/") + probe);
}

Status FaultInjector::set(FaultKind kind, const char *name, uint64_t value)
{
	return write_value(attr(kind).dir + "/" + name, std::to_string(value));
}

Status FaultInjector::prepare_attr(FaultKind kind)
{
	LIO_TRY(uint64_t probability, read_number(attr(kind).dir + "/probability"));
	if (probability)
		return Error{EBUSY, attr(kind).dir, "somebody else injects faults by"};
	LIO_CHECK(set(kind, "times", 0));
	LIO_CHECK(set(kind, "ignore-gfp-wait", 0));
	LIO_CHECK(set(kind, "verbose", 0)); // the trace tells more, and of __GFP_NOWARN too
	LIO_CHECK(set(kind, "space", 0));
	return set(kind, "probability", 100);
}

/// Addresses of the code that @is_wanted names, as far as it lies together; .init and .exit are elsewhere.
template <class Pred> static Result<CodeRange> find_code(Pred is_wanted)
{
	LIO_TRY(std::string text, read_file("/proc/kallsyms"));
	std::istringstream in(text);
	CodeRange found;
	bool open = false;
	for (std::string line; std::getline(in, line);) {
		std::istringstream words(line);
		uint64_t address;
		std::string type, name;
		words >> std::hex >> address >> type >> name;
		if (open)
			found.end = address;
		open = (type == "t" || type == "T") && is_wanted(name) &&
		       (!found.start || address - found.start < 65536);
		if (open && !found.start)
			found.start = address;
	}
	return found;
}

Result<CodeRange> kernel_function(const std::string &name)
{
	LIO_TRY(CodeRange found, find_code([&](const std::string &n) { return n == name; }));
	return found.end ? Result<CodeRange>(found) : Error{ENOENT, "/proc/kallsyms", "no " + name + " in"};
}

/// Where modules may be loaded begins, and kmemleak's code, whose allocations are none of ours.
Status FaultInjector::find_addresses()
{
	LIO_TRY(CodeRange text, find_code([](const std::string &name) { return name == "_text" || name == "_stext"; }));
	modules_start_ = (text.start + (512ull << 20)) & ~((512ull << 20) - 1);
	LIO_TRY(kmemleak_, find_code([](const std::string &name) {
			return name == "kmemleak_alloc" || name == "kmemleak_alloc_percpu" || name == "kmemleak_vmalloc";
		}));
	return text.start ? Status() : Error{ENOENT, "/proc/kallsyms", "no addresses in"};
}

Status FaultInjector::prepare_tracing()
{
	const std::string probes = tracefs + "/kprobe_events", events = tracefs + "/events/fault/";
	if (exists(events))
		return Error{EEXIST, events, "somebody else traces faults by"};
	LIO_CHECK(write_value(probes, "r:fault/slab should_failslab failed=$retval:u8"));
	LIO_CHECK(write_value(probes, "r:fault/page should_fail_alloc_page failed=$retval:u8"));
	LIO_CHECK(write_value(probes, "p:fault/text set_memory_rox address=$arg1:x64 pages=$arg2:s32"));
	for (FaultKind k : {FaultKind::slab, FaultKind::page})
		LIO_CHECK(write_value(events + fault_kind_name(k) + "/filter", "failed!=0"));
	LIO_CHECK(write_value(events + "text/filter", "common_pid==" + std::to_string(gettid())));
	for (const char *option : {"stacktrace", "sym-addr", "sym-offset"})
		LIO_CHECK(write_value(tracefs + "/options/" + option, "1"));
	// For good: switching probes on and off patches code, which takes longer than most scenarios.
	return write_value(events + "enable", "1");
}

void FaultInjector::set_make_it_fail(bool on) const
{
	// Cannot fail: the thread is alive and the text is right.
	if (pwrite(make_it_fail_.get(), on ? "1" : "0", 1, 0) != 1)
		perror("make-it-fail");
}

Status FaultInjector::arm(FaultKind kind, const FaultTarget &target, uint64_t nth)
{
	armed_ = kind;
	this_thread_ = target.this_thread;
	interval_ = nth ? attr(kind).count + nth : 0;
	LIO_CHECK(set(kind, "require-start", target.start));
	LIO_CHECK(set(kind, "require-end", target.end));
	const CodeRange &rejected = target.spared.end ? target.spared : kmemleak_;
	LIO_CHECK(set(kind, "reject-start", rejected.start));
	LIO_CHECK(set(kind, "reject-end", rejected.end));
	LIO_CHECK(set(kind, "stacktrace-depth", target.depth));
	LIO_CHECK(set(kind, "task-filter", this_thread_));
	LIO_CHECK(set(kind, "interval", interval_));
	LIO_CHECK(write_file(tracefs + "/trace", ""));
	LIO_CHECK(set(kind, "times", nth ? 1 : 0));
	set_make_it_fail(this_thread_);
	return {};
}

Result<FaultShot> FaultInjector::disarm()
{
	set_make_it_fail(false);
	FaultShot shot;
	LIO_TRY(uint64_t times, read_number(attr(armed_).dir + "/times"));
	shot.fired = interval_ && times == 0;
	if (times)
		LIO_CHECK(set(armed_, "times", 0));
	LIO_TRY(std::string text, read_file(tracefs + "/trace"));
	for (const auto &e : parse_trace(text)) {
		if (e.name == fault_kind_name(armed_))
			shot.stack = e.stack;
		else if (e.name == "text")
			shot.text.emplace_back(strtoull(e.fields.at("address").c_str(), nullptr, 16),
					       strtoull(e.fields.at("pages").c_str(), nullptr, 10) * 4096);
	}
	if (shot.fired && shot.stack.empty())
		return Error{ENODATA, tracefs, "no trace of a fault in"};
	if (!shot.fired && interval_)
		LIO_CHECK(calibrate(armed_));
	// An interval of 1 is not counted.
	if (interval_ > 1)
		attr(armed_).count = interval_;
	return shot;
}

Status FaultInjector::calibrate(FaultKind kind)
{
	LIO_CHECK(set(kind, "reject-start", 0));
	LIO_CHECK(set(kind, "reject-end", 0));
	LIO_CHECK(set(kind, "require-start", 0));
	LIO_CHECK(set(kind, "require-end", ~0ull));
	LIO_CHECK(set(kind, "task-filter", 1));
	LIO_CHECK(set(kind, "times", 1));
	bool found = false;
	set_make_it_fail(true);
	for (uint64_t i = 0; i < calibration_limit && !found; i++) {
		kind == FaultKind::slab ? use_slab() : use_pages();
		// Its allocations count too, and one of them may be what fails.
		found = read_number(attr(kind).dir + "/times").value_or(1) == 0;
	}
	set_make_it_fail(false);
	return found ? Status() : Error{ETIMEDOUT, attr(kind).dir, "the count could not be found of"};
}

} // namespace lio::test
