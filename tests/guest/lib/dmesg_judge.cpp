// SPDX-License-Identifier: GPL-2.0
#include "dmesg_judge.hpp"

#include <array>
#include <cstdlib>

namespace lio::test {

namespace {

constexpr int level_warning = 4;

/// A kind of defect report: how it is recognised, and a line of it as the kernel prints it.
/// The samples are what expect() tries its patterns on.
struct Defect {
	const char *pattern, *sample;
};

constexpr Defect defects[] = {
	{R"(\bBUG:)", "BUG: kernel NULL pointer dereference, address: 0000000000000010"},
	{R"(\bkernel BUG at)", "kernel BUG at drivers/target/target_core_user.c:100!"},
	{R"(\bWARNING:)", "WARNING: CPU: 0 PID: 12 at drivers/target/target_core_user.c:100 f+0x1/0x2"},
	{R"(\bOops\b)", "Oops: 0000 [#1] PREEMPT SMP NOPTI"},
	{R"(general protection fault)", "general protection fault, probably for non-canonical address 0xdead"},
	{R"(divide error|invalid opcode|stack segment|double fault)", "invalid opcode: 0000 [#1] SMP"},
	{R"(Kernel panic)", "Kernel panic - not syncing: Fatal exception"},
	{R"(\bKASAN\b)", "BUG: KASAN: slab-use-after-free in f+0x1/0x2"},
	{R"(\bKFENCE\b)", "BUG: KFENCE: use-after-free read in f+0x1/0x2"},
	{R"(\bKCSAN\b)", "BUG: KCSAN: data-race in f / g"},
	{R"(\bUBSAN\b)", "UBSAN: array-index-out-of-bounds in x.c:1:2"},
	{R"(kmemleak)", "kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)"},
	{R"(ODEBUG)", "ODEBUG: free active (active state 0) object type: timer_list hint: f+0x0"},
	{R"(possible (circular|irq|recursive)|inconsistent lock state|lock held when|suspicious RCU)",
	 "WARNING: possible circular locking dependency detected"},
	{R"(bad unlock balance|held lock freed|INFO: trying to register non-static key)",
	 "INFO: trying to register non-static key."},
	{R"(blocked for more than \d+ seconds)", "INFO: task fio:123 blocked for more than 120 seconds."},
	{R"(rcu.*(stall|starved)|self-detected stall)", "rcu: INFO: rcu_preempt self-detected stall on CPU"},
	{R"(soft lockup|hard LOCKUP|lockup detected)", "watchdog: BUG: soft lockup - CPU#0 stuck for 26s!"},
	{R"(workqueue lockup|workqueue:.*hogged CPU)", "BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0"},
	{R"(refcount_t:)", "refcount_t: underflow; use-after-free."},
	{R"(percpu ref.*<= 0)", "percpu ref (f) <= 0 (-1) after switching to atomic"},
	{R"(list_(add|del) corruption)", "list_del corruption. prev->next should be x, but was y."},
	{R"(scheduling while atomic|sleeping function called from invalid context)",
	 "BUG: sleeping function called from invalid context at mm/slab.h:1"},
	{R"(detected buffer overflow|memcpy: detected|field-spanning write)",
	 "memcpy: detected field-spanning write (size 8) of single field"},
	{R"(usercopy:)", "usercopy: Kernel memory exposure attempt detected from SLUB object"},
	{R"(Bad page state|bad page map|Bad rss-counter|page dumped because)",
	 "BUG: Bad page state in process fio  pfn:12345"},
	{R"((Poison|Redzone|Freelist) .*(overwritten|corrupt)|Object padding)",
	 "BUG kmalloc-64 (Tainted: G): Poison overwritten"},
	{R"(Slab cache still has objects|Objects remaining in)",
	 "BUG lio_cmd_cache: Objects remaining in lio_cmd_cache on __kmem_cache_shutdown()"},
	{R"(unregister_netdevice: waiting for)", "unregister_netdevice: waiting for veth0 to become free."},
	{R"(Call Trace:)", "Call Trace:"},
	{R"(page allocation failure|Out of memory:|oom-kill)", "fio: page allocation failure: order:0, mode:0x0"},
};

/// Allowed everywhere: what loading an unsigned module out of the tree says; that the host took the
/// emulated processor away during an interrupt; and what a disk that comes or goes while it is opened
/// makes block/bdev.c say once a boot. None of them can come from a defect of a module under test.
constexpr const char *global_allowances[] = {
	R"(^\S+: loading out-of-tree module taints kernel\.$)",
	R"(^\S+: module verification failed: signature and/or required key missing - tainting kernel$)",
	R"(^Disabling lock debugging due to kernel taint$)",
	R"(^hrtimer: interrupt took \d+ ns$)",
	R"(^block device autoloading is deprecated and will be removed\.$)",
};

std::vector<std::regex> compile_all(auto begin, auto end, auto text_of)
{
	std::vector<std::regex> v;
	for (auto it = begin; it != end; ++it)
		v.emplace_back(text_of(*it));
	return v;
}

bool any_match(const std::vector<std::regex> &all, const std::string &text)
{
	for (const auto &r : all)
		if (std::regex_search(text, r))
			return true;
	return false;
}

bool allowed_everywhere(const std::string &text)
{
	static const auto all = compile_all(std::begin(global_allowances), std::end(global_allowances),
					    [](const char *s) { return s; });
	return any_match(all, text);
}

} // namespace

std::optional<LogLine> parse_kmsg(std::string_view record)
{
	size_t semi = record.find(';');
	if (semi == std::string_view::npos)
		return {};
	std::string head(record.substr(0, semi));
	LogLine line;
	char *end;
	line.level = static_cast<int>(strtoul(head.c_str(), &end, 10) & 7);
	if (*end != ',')
		return {};
	line.sequence = strtoull(end + 1, &end, 10);
	if (*end != ',')
		return {};
	line.text = record.substr(semi + 1, record.find('\n', semi) - semi - 1);
	return line;
}

bool is_defect(const std::string &text)
{
	static const auto all = compile_all(std::begin(defects), std::end(defects),
					    [](const Defect &d) { return d.pattern; });
	return any_match(all, text);
}

Status DmesgJudge::expect(const std::string &pattern, Need need)
{
	Expectation e{pattern, {}, need};
	try {
		e.regex = std::regex(pattern);
	} catch (const std::regex_error &err) {
		return Error{EINVAL, pattern, std::string("bad expectation (") + err.what() + ")"};
	}
	for (const Defect &d : defects)
		if (std::regex_search(d.sample, e.regex))
			return Error{EINVAL, pattern, std::string("the expectation would excuse '") + d.sample + "':"};
	expected_.push_back(std::move(e));
	opinions_.clear();
	return {};
}

DmesgJudge::Opinion DmesgJudge::opinion_of(const std::string &text) const
{
	Opinion o;
	o.defect = is_defect(text);
	for (size_t i = 0; i < expected_.size(); i++)
		if (std::regex_search(text, expected_[i].regex))
			o.matches.push_back(i);
	o.allowed = !o.matches.empty() || allowed_everywhere(text);
	return o;
}

/// What was said before needs no second look: tests that are refused a million times say the same
/// few things.
const DmesgJudge::Opinion &DmesgJudge::remember(const std::string &text)
{
	constexpr size_t most_remembered = 20000;
	auto known = opinions_.find(text);
	if (known != opinions_.end())
		return known->second;
	if (opinions_.size() == most_remembered)
		opinions_.clear();
	return opinions_[text] = opinion_of(text);
}

std::vector<std::string> DmesgJudge::judge(const std::vector<LogLine> &lines)
{
	std::vector<std::string> wrong;
	for (const LogLine &line : lines) {
		const Opinion &o = remember(line.text);
		if (o.defect) {
			wrong.push_back("kernel defect: " + line.text);
			continue;
		}
		for (size_t i : o.matches)
			expected_[i].matches++;
		if (!o.allowed && line.level <= level_warning)
			wrong.push_back("unexpected <" + std::to_string(line.level) + "> " + line.text);
	}
	return wrong;
}

std::vector<std::string> DmesgJudge::unmet() const
{
	std::vector<std::string> v;
	for (const Expectation &e : expected_)
		if (e.need == Need::required && e.matches == 0)
			v.push_back("no kernel log line matched the required '" + e.pattern + "'");
	return v;
}

} // namespace lio::test
