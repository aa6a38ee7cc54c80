// SPDX-License-Identifier: GPL-2.0
#include "fault_walk.hpp"

#include <map>
#include <memory>
#include <optional>

#include "backstore.hpp"
#include "fault_policy.hpp"
#include "fault_sites_json.hpp" // made by CMake from fault_sites.json
#include "loopback.hpp"
#include "module.hpp"
#include "process.hpp"
#include "seed.hpp"
#include "test_env.hpp"

namespace lio::test {

namespace {

/// More faults than any scenario has allocations: the walk does not end.
constexpr unsigned most_faults = 5000;

/// LIO_FAULT_DEPTH, up to 32: to look farther by hand. It finds the driver core's and the midlayer's own
/// failures, for which fault_sites.json has no entries.
std::optional<unsigned> wanted_depth()
{
	const char *text = getenv("LIO_FAULT_DEPTH");
	return text ? std::optional(unsigned(strtoul(text, nullptr, 10))) : std::nullopt;
}

/// 8 frames reach through the allocator's own functions and one or two helpers, so that it is our code's
/// allocations that fail and not each of those that the midlayer or the driver core makes on its behalf.
unsigned stack_depth(const Scenario &s)
{
	// With another function spared kmemleak's allocations are not, and they begin at depth 8.
	return !s.spared.empty() ? 7 : wanted_depth().value_or(s.depth);
}

struct ModuleSites {
	ModuleImage image;
	std::vector<CallSite> sites;
	std::vector<unsigned> hits;
	std::map<std::string, unsigned> elsewhere; ///< calls that lead to allocations farther away
	/// Sections relative to where the module's text and its init text were put.
	std::map<std::string, std::pair<size_t, uint64_t>> load_offsets;
};

/// What all walks share: the injector and what is known of the modules.
class Faults {
	std::optional<FaultInjector> injector_;
	std::map<std::string, ModuleSites> modules_;

public:
	FaultPolicy policy;
	unsigned scenarios = 0, faults = 0, errors = 0, absorbed = 0;

	static Faults &instance()
	{
		static Faults f;
		return f;
	}

	Result<FaultInjector *> injector()
	{
		if (!injector_) {
			LIO_TRY(FaultInjector f, FaultInjector::create());
			injector_.emplace(std::move(f));
		}
		return &*injector_;
	}

	Result<ModuleSites *> module(const std::string &name);
	const std::map<std::string, ModuleSites> &modules() const { return modules_; }

private:
	Faults()
	{
		auto p = FaultPolicy::parse(fault_sites_json);
		if (p)
			policy = std::move(*p);
		else
			ADD_FAILURE() << p.error();
	}
};

Result<ModuleSites *> Faults::module(const std::string &name)
{
	if (auto known = modules_.find(name); known != modules_.end())
		return &known->second;
	if (!module_is_ours(name))
		return Error{EINVAL, name, "faults are injected into our modules only, not"};
	LIO_TRY(std::string path, run_ok({"modinfo", "-F", "filename", name}));
	path.erase(path.find_last_not_of('\n') + 1);
	LIO_TRY(ModuleImage image, ModuleImage::read(path));
	auto sites = image.calls_of(policy.allocators());
	for (const auto &i : unclassified_imports(image, policy.allocators(), policy.others()))
		ADD_FAILURE() << name << " imports " << i << ": does it allocate? fault_sites.json does not tell";
	ModuleSites m{std::move(image), std::move(sites), {}, {}, {}};
	m.hits.resize(m.sites.size());
	return &modules_.emplace(name, std::move(m)).first->second;
}

Result<uint64_t> section_address(const std::string &module, const std::string &section)
{
	return read_number("/sys/module/" + module + "/sections/" + section);
}

Result<ModuleLayout> loaded_layout(const std::string &module, const ModuleSites &m)
{
	ModuleLayout layout;
	for (const auto &[section, size] : m.image.code_sizes())
		if (!section.starts_with(".init")) { // freed after loading
			LIO_TRY(uint64_t address, section_address(module, section));
			layout.add(section, address, size);
		}
	return layout;
}

/// After a module was loaded without a fault: how its sections lie in the two areas of code.
Status learn_load(const std::string &module, ModuleSites &m, const FaultShot &shot)
{
	for (const auto &[section, size] : m.image.code_sizes()) {
		LIO_TRY(uint64_t address, section_address(module, section));
		for (size_t i = 0; i < shot.text.size(); i++)
			if (address >= shot.text[i].first && address < shot.text[i].first + shot.text[i].second)
				m.load_offsets[section] = {i, address - shot.text[i].first};
		if (!m.load_offsets.count(section))
			return Error{ENODATA, module, "the trace does not tell where " + section + " was put:"};
	}
	return {};
}

Result<ModuleLayout> load_layout(const ModuleSites &m, const FaultShot &shot)
{
	ModuleLayout layout;
	for (const auto &[section, at] : m.load_offsets) {
		if (at.first >= shot.text.size())
			return Error{ENODATA, section, "the trace does not tell where this was put:"};
		layout.add(section, shot.text[at.first].first + at.second, m.image.code_sizes().at(section));
	}
	return layout;
}

/// One scenario on its way through the faults.
class Walk {
	const Scenario &sc_;
	Faults &all_ = Faults::instance();
	FaultInjector &injector_;
	ModuleSites &module_;
	unsigned fired_ = 0, errors_ = 0;
	std::string last_;
	uint64_t repeats_ = 0;
	CodeRange spared_;

public:
	Walk(const Scenario &sc, FaultInjector &injector, ModuleSites &module)
		: sc_(sc), injector_(injector), module_(module) {}

	Status run();

private:
	struct Step {
		Status acted;
		FaultShot shot;
		ModuleLayout layout;
	};
	Status count_up(FaultKind kind);
	Result<Step> step(FaultKind kind, uint64_t nth);
	void judge(const Step &s, FaultKind kind, uint64_t nth);
	Hit record(const Step &s);
	void stride(const FaultShot &shot);
	uint64_t gcov_allocations(FaultKind kind) const;
	uint64_t next_step_ = 1;
};

Result<Walk::Step> Walk::step(FaultKind kind, uint64_t nth)
{
	Step s;
	LIO_CHECK(sc_.prepare());
	FaultTarget target = injector_.module_area();
	if (!sc_.loads) {
		LIO_TRY(s.layout, loaded_layout(sc_.module, module_));
		std::tie(target.start, target.end) = s.layout.span();
		target.this_thread = false;
	}
	target.depth = stack_depth(sc_);
	target.spared = spared_;
	LIO_CHECK(injector_.arm(kind, target, nth));
	s.acted = sc_.act();
	LIO_TRY(s.shot, injector_.disarm());
	if (sc_.loads && !nth)
		LIO_CHECK(learn_load(sc_.module, module_, s.shot));
	if (sc_.loads) {
		LIO_TRY(s.layout, load_layout(module_, s.shot));
	}
	LIO_CHECK(sc_.restore());
	return s;
}

/// Where the fault was. Nowhere is a fault of the harness: allocations are chosen by the module's code.
Hit Walk::record(const Step &s)
{
	auto hit = find_hit(s.shot.stack, s.layout, module_.image, module_.sites);
	if (!hit) {
		ADD_FAILURE() << sc_.name << ": a fault outside of " << sc_.module;
		for (const Frame &f : s.shot.stack)
			printf("  %s\n", f.symbol.c_str());
		return {};
	}
	if (hit->site)
		module_.hits[*hit->site]++;
	else
		module_.elsewhere[hit->str()]++;
	return *hit;
}

/// The same stack again and again is a loop's: the steps through it grow.
void Walk::stride(const FaultShot &shot)
{
	std::string stack;
	for (const Frame &f : shot.stack)
		stack += f.symbol + " " + std::to_string(f.address) + "\n";
	repeats_ = stack == last_ ? repeats_ + 1 : 0;
	last_ = stack;
	next_step_ = repeats_ < sc_.run ? 1 : next_step_ * (tier() == Tier::long_ ? 2 : 16);
}

void Walk::judge(const Step &s, FaultKind kind, uint64_t nth)
{
	Hit hit = record(s);
	std::string outcome = outcome_name(s.acted);
	fired_++;
	errors_ += !s.acted.ok();
	if (getenv("LIO_FAULT_VERBOSE"))
		printf("fault: %s %s %lu: %s (of %s): %s\n", sc_.name.c_str(), fault_kind_name(kind), nth,
		       hit.str().c_str(), s.shot.stack.size() > 1 ? s.shot.stack[1].symbol.c_str() : "?", outcome.c_str());
	bool expected = (s.acted.ok() && all_.policy.falls_back(s.shot.stack)) ||
			all_.policy.allows(sc_.module, sc_.name, hit, outcome);
	if (!expected)
		ADD_FAILURE() << sc_.name << ": " << fault_kind_name(kind) << " allocation " << nth << " of " << sc_.module
			      << " failed (" << hit.str() << "), the outcome was " << outcome
			      << (s.acted ? "" : ": " + s.acted.error().str());
	stride(s.shot);
}

/// On a kernel that counts what is executed each of a module's files allocates when it is loaded, before ours does.
uint64_t Walk::gcov_allocations(FaultKind kind) const
{
	return sc_.loads && kind == FaultKind::slab ? module_.image.calls_of({"__gcov_init"}).size() : 0;
}

/// A line that the kernel logs without its end is not to be read before the next one: here is one.
void judge_log(const std::string &scenario)
{
	(void)write_value("/dev/kmsg", "<6>guest-fault: " + scenario);
	check_dmesg_now();
}

Status Walk::count_up(FaultKind kind)
{
	last_.clear();
	next_step_ = 1;
	for (uint64_t nth = 1 + gcov_allocations(kind); fired_ < most_faults; nth += next_step_) {
		LIO_TRY(Step s, step(kind, nth));
		if (!s.shot.fired)
			return s.acted;
		judge(s, kind, nth);
		judge_log(sc_.name);
		if (tier() == Tier::long_) { // once more without the fault; else at the end only
			LIO_TRY(Step again, step(kind, 0));
			LIO_CHECK(again.acted);
		}
	}
	return Error{ELOOP, sc_.name, "there is no end of the faults of"};
}

Status Walk::run()
{
	Stopwatch watch;
	if (!sc_.spared.empty()) {
		LIO_TRY(spared_, kernel_function(sc_.spared));
	}
	LIO_TRY(Step clean, step(FaultKind::slab, 0));
	LIO_CHECK(clean.acted);
	for (FaultKind kind : sc_.kinds)
		LIO_CHECK(count_up(kind));
	printf("fault: %-40s %-16s %3u faults, %3u errors, %3u absorbed, %.1f s\n", sc_.name.c_str(), sc_.module.c_str(),
	       fired_, errors_, fired_ - errors_, watch.seconds());
	all_.scenarios++;
	all_.faults += fired_;
	all_.errors += errors_;
	all_.absorbed += fired_ - errors_;
	return {};
}

void report_module(const std::string &name, const ModuleSites &m, bool judged)
{
	unsigned hit = 0, excused = 0;
	std::string rest;
	for (size_t i = 0; i < m.sites.size(); i++) {
		if (m.hits[i]) {
			hit++;
			continue;
		}
		bool listed = Faults::instance().policy.excuses(name, m.sites[i]);
		excused += listed;
		rest += "  not hit: " + m.sites[i].section + " " + m.sites[i].str() + (listed ? " (judged unreachable)\n" : "\n");
		if (judged && !listed)
			ADD_FAILURE() << name << ": no fault was injected into " << m.sites[i].str();
	}
	printf("fault: %-16s %2zu allocation sites, %2u hit, %u judged unreachable\n%s", name.c_str(), m.sites.size(), hit,
	       excused, rest.c_str());
	for (const auto &[call, n] : m.elsewhere)
		printf("  farther away: %s (%u)\n", call.c_str(), n);
}

/// The table of sites. Only a run of all tests can tell what is never hit.
class SiteReport : public testing::Environment {
	void TearDown() override
	{
		Faults &f = Faults::instance();
		bool judged = testing::GTEST_FLAG(filter) == "*" && f.faults;
		for (const auto &[name, m] : f.modules())
			report_module(name, m, judged && !f.policy.walked_in_part(name));
		printf("fault: %u scenarios, %u faults: %u errors, %u absorbed\n", f.scenarios, f.faults, f.errors, f.absorbed);
		if (!judged)
			return;
		for (const auto &entry : f.policy.unused(wanted_depth().has_value()))
			ADD_FAILURE() << "fault_sites.json has an unused entry: " << entry;
	}
};

const auto *const site_report = testing::AddGlobalTestEnvironment(new SiteReport);

} // namespace

void walk(const Scenario &scenario)
{
	SCOPED_TRACE(scenario.name);
	ASSERT_OK_AND_ASSIGN(FaultInjector * injector, Faults::instance().injector());
	ASSERT_OK_AND_ASSIGN(ModuleSites * module, Faults::instance().module(scenario.module));
	Walk w(scenario, *injector, *module);
	EXPECT_OK(w.run());
}

/// With the modules that the core loads with its first HBA. It takes seconds, so only when it must be.
static Status load_all()
{
	if (exists(target_root + "/loopback") && module_loaded("target_core_user"))
		return {};
	LIO_CHECK(ensure_loopback());
	LIO_CHECK(load_module("target_core_user"));
	LIO_TRY(Removal hba, make_dir_guard(target_root + "/core/rd_mcp_90"));
	return hba.remove();
}

void FaultTest::SetUp()
{
	ASSERT_OK(load_all());
	ASSERT_OK(begin());
	before_.names = take_names();
}

void FaultTest::TearDown()
{
	Snapshot after;
	after.names = take_names();
	for (const auto &change : changed_names(before_, after))
		ADD_FAILURE() << change;
}

} // namespace lio::test
