// SPDX-License-Identifier: GPL-2.0
// Fault injection's logic: sites by relocations, stacks of the trace, what the policy says.
#include <cstring>

#include <elf.h>
#include <gtest/gtest.h>

#include "fault_policy.hpp"
#include "fault_trace.hpp"

namespace lio::test {
namespace {

/// A relocatable file with one code section, put together by hand.
class ElfBuilder {
	std::vector<uint8_t> code_;
	std::string names_ = std::string(1, '\0');
	std::vector<Elf64_Sym> symbols_{{}};
	std::vector<Elf64_Rela> relocations_;

	uint32_t add_name(const std::string &name)
	{
		uint32_t at = uint32_t(names_.size());
		names_ += name + '\0';
		return at;
	}

public:
	size_t add_function(const std::string &name, uint64_t start, uint64_t size)
	{
		symbols_.push_back({add_name(name), ELF64_ST_INFO(STB_LOCAL, STT_FUNC), 0, 1, start, size});
		return symbols_.size() - 1;
	}
	size_t add_import(const std::string &name)
	{
		symbols_.push_back({add_name(name), ELF64_ST_INFO(STB_GLOBAL, STT_NOTYPE), 0, SHN_UNDEF, 0, 0});
		return symbols_.size() - 1;
	}
	/// An instruction with a 32-bit operand that the linker fills in.
	void branch(std::initializer_list<uint8_t> opcode, size_t symbol)
	{
		code_.insert(code_.end(), opcode);
		relocations_.push_back({code_.size(), ELF64_R_INFO(symbol, R_X86_64_PLT32), -4});
		code_.insert(code_.end(), 4, 0);
	}
	/// A call within the section, as the assembler has resolved it.
	void call_to(uint64_t offset)
	{
		int32_t distance = int32_t(offset) - int32_t(code_.size() + 5);
		code_.push_back(0xe8);
		for (int i = 0; i < 4; i++)
			code_.push_back(uint8_t(uint32_t(distance) >> (8 * i)));
	}
	void fill(size_t to) { code_.resize(to, 0x90); }

	std::vector<uint8_t> build();
};

template <class T> std::vector<uint8_t> bytes_of(const std::vector<T> &v)
{
	std::vector<uint8_t> b(v.size() * sizeof(T));
	memcpy(b.data(), v.data(), b.size());
	return b;
}

std::vector<uint8_t> ElfBuilder::build()
{
	std::string section_names("\0.text\0.rela.text\0.symtab\0.strtab\0", 34);
	std::vector<std::vector<uint8_t>> parts = {code_, bytes_of(relocations_), bytes_of(symbols_),
						   {names_.begin(), names_.end()},
						   {section_names.begin(), section_names.end()}};
	std::vector<Elf64_Shdr> headers(6);
	uint64_t at = sizeof(Elf64_Ehdr);
	for (size_t i = 0; i < parts.size(); i++) {
		headers[i + 1].sh_offset = at;
		headers[i + 1].sh_size = parts[i].size();
		at += parts[i].size();
	}
	headers[1].sh_name = 1, headers[1].sh_type = SHT_PROGBITS, headers[1].sh_flags = SHF_ALLOC | SHF_EXECINSTR;
	headers[2].sh_name = 7, headers[2].sh_type = SHT_RELA, headers[2].sh_link = 3, headers[2].sh_info = 1;
	headers[3].sh_name = 18, headers[3].sh_type = SHT_SYMTAB, headers[3].sh_link = 4;
	headers[4].sh_name = 26, headers[4].sh_type = SHT_STRTAB;
	headers[5].sh_type = SHT_STRTAB;
	Elf64_Ehdr eh = {};
	memcpy(eh.e_ident, ELFMAG, SELFMAG);
	eh.e_type = ET_REL, eh.e_machine = EM_X86_64, eh.e_shoff = at, eh.e_shnum = 6, eh.e_shstrndx = 5;
	std::vector<uint8_t> file = bytes_of(std::vector{eh});
	for (const auto &p : parts)
		file.insert(file.end(), p.begin(), p.end());
	auto table = bytes_of(headers);
	file.insert(file.end(), table.begin(), table.end());
	return file;
}

/// make() calls kmalloc and, in the end, jumps to vmalloc; outer() calls make().
ModuleImage example()
{
	ElfBuilder b;
	b.add_function("make.isra.0", 0, 16);
	b.add_function("outer", 16, 16);
	size_t kmalloc = b.add_import("kmalloc"), vmalloc = b.add_import("vmalloc"), kfree = b.add_import("kfree");
	b.branch({0xe8}, kmalloc); // 0..5
	b.branch({0xe8}, kfree); // 5..10
	b.branch({0xe9}, vmalloc); // 10..15
	b.fill(16);
	b.call_to(0); // 16..21
	b.branch({0x48, 0x8d, 0x3d}, kmalloc); // its address, no call
	b.fill(32);
	auto image = ModuleImage::parse(b.build());
	return image ? *image : ModuleImage();
}

const std::set<std::string> allocators = {"kmalloc", "vmalloc"};

TEST(AllocSites, CallsAndJumpsByRelocation)
{
	auto sites = example().calls_of(allocators);
	ASSERT_EQ(sites.size(), 2u);
	EXPECT_EQ(sites[0].str(), "make+0x5 -> kmalloc");
	EXPECT_EQ(sites[1].str(), "make+0xf -> vmalloc (tail call)");
	EXPECT_EQ(example().callee_before({".text", 5}), "kmalloc");
	EXPECT_EQ(example().callee_before({".text", 21}), "make");
	EXPECT_FALSE(example().callee_before({".text", 15})); // a jump has no return address
	EXPECT_FALSE(example().callee_before({".text", 4000}));
}

TEST(AllocSites, RefusesWhatIsNoModule)
{
	std::vector<uint8_t> junk(500, 0x41);
	EXPECT_EQ(ModuleImage::parse(junk).code(), ENOEXEC);
	EXPECT_EQ(ModuleImage::parse({}).code(), ENOEXEC);
	ElfBuilder b;
	b.add_function("f", 0, 100);
	auto file = b.build();
	file.resize(file.size() / 2);
	EXPECT_EQ(ModuleImage::parse(file).code(), ENOEXEC);
}

TEST(AllocSites, NamesThatNobodyClassified)
{
	EXPECT_EQ(unclassified_imports(example(), {"vmalloc"}, {}), std::vector<std::string>{"kmalloc"});
	EXPECT_TRUE(unclassified_imports(example(), {"vmalloc"}, {"kmalloc"}).empty());
}

constexpr char trace[] = R"(# tracer: nop
#
#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
     guest-fault-83      [001] ...1.    38.190112: slab: (__kmalloc_cache_noprof+0x9b/0x2c0 <- should_failslab) failed=244
     guest-fault-83      [001] ...1.    38.190134: <stack trace>
 => kmalloc+0x9b/0x2c0 <ffffffff813a1b2b>
 => 0xffffffffa0001005 <ffffffffa0001005>
 => configfs_mkdir+0x4ab/0xa70 <ffffffff815a1b2b>
     guest-fault-83      [000] .....    39.000000: text: (set_memory_rox+0x0/0x30) address=0xffffffffa0002000 pages=3
)";

TEST(FaultTrace, EventsAndStacks)
{
	auto events = parse_trace(trace);
	ASSERT_GE(events.size(), 2u);
	EXPECT_EQ(events.front().name, "slab");
	ASSERT_EQ(events.front().stack.size(), 3u);
	EXPECT_EQ(events.front().stack[0].symbol, "kmalloc");
	EXPECT_EQ(events.front().stack[1].address, 0xffffffffa0001005);
	EXPECT_EQ(events.front().stack[1].symbol, "");
	EXPECT_EQ(events.back().name, "text");
	EXPECT_EQ(events.back().fields.at("address"), "0xffffffffa0002000");
	EXPECT_EQ(events.back().fields.at("pages"), "3");
}

ModuleLayout at(uint64_t address)
{
	ModuleLayout layout;
	layout.add(".text", address, 32);
	return layout;
}

TEST(FaultTrace, TheSiteOfAStack)
{
	constexpr uint64_t base = 0xffffffffa0001000;
	auto sites = example().calls_of(allocators);
	auto direct = find_hit(parse_trace(trace)[0].stack, at(base), example(), sites);
	ASSERT_TRUE(direct);
	EXPECT_EQ(direct->site, 0u);
	EXPECT_EQ(direct->str(), "make -> kmalloc");
	// The frame of a function that ended in a jump is missing.
	auto tail = find_hit({{0xffffffff81000001, "vmalloc"}, {base + 21, ""}}, at(base), example(), sites);
	ASSERT_TRUE(tail);
	EXPECT_EQ(tail->site, 1u);
	EXPECT_EQ(tail->str(), "make -> vmalloc");
	auto farther = find_hit({{0xffffffff81000001, "kfree"}, {base + 10, ""}}, at(base), example(), sites);
	ASSERT_TRUE(farther);
	EXPECT_FALSE(farther->site);
	EXPECT_FALSE(find_hit({{0xffffffff81000001, "vmalloc"}}, at(base), example(), sites));
}

TEST(FaultTrace, SpanOfALayout)
{
	ModuleLayout layout;
	layout.add(".text", 0x1000, 0x100);
	layout.add(".exit.text", 0x3000, 0x10);
	EXPECT_EQ(layout.span(), std::make_pair(uint64_t(0x1000), uint64_t(0x3010)));
	EXPECT_EQ(layout.span(".exit.text").second, 0x1100u);
	EXPECT_FALSE(layout.place_of(0x2000));
	EXPECT_EQ(layout.place_of(0x1100)->offset, 0x100u); // the end of the last function
}

constexpr char policy[] = R"({"allocators": ["kmalloc"], "not allocators": [], "walked in part": ["large"],
	"fallbacks": [{"function": "kvmalloc", "reason": "vmalloc"},
		      {"function": "allocate_slab", "sometimes": true, "reason": "a smaller one"}],
	"outcomes": [{"module": "m", "function": "make", "callee": "kmalloc", "allowed": ["good"], "reason": "retried"}],
	"unreachable": [{"module": "m", "function": "make", "callee": "vmalloc", "reason": "never so large"}]})";

TEST(FaultPolicy, OutcomesAreListedOrEnomem)
{
	auto p = FaultPolicy::parse(policy);
	ASSERT_TRUE(p.ok());
	Hit listed{{}, "make", "kmalloc", {}}, other{{}, "outer", "kmalloc", {}};
	EXPECT_TRUE(p->allows("m", "s", other, "ENOMEM"));
	EXPECT_FALSE(p->allows("m", "s", other, "good"));
	EXPECT_FALSE(p->allows("m", "s", listed, "EIO"));
	EXPECT_EQ(p->unused(false).size(), 3u);
	EXPECT_FALSE(p->falls_back({{1, "kmalloc"}, {2, "make"}}));
	EXPECT_TRUE(p->falls_back({{1, "kmalloc"}, {2, "kvmalloc"}, {3, "make"}}));
	EXPECT_TRUE(p->allows("m", "s", listed, "good"));
	EXPECT_TRUE(p->excuses("m", {".text", 0, "make", 0, "vmalloc", false}));
	EXPECT_FALSE(p->excuses("m", {".text", 0, "make", 0, "vmalloc", false})); // the entry is for one site
	EXPECT_TRUE(p->unused(true).empty());
}

TEST(FaultPolicy, NamesModulesWalkedInPart)
{
	auto p = FaultPolicy::parse(policy);
	ASSERT_TRUE(p.ok());
	EXPECT_TRUE(p->walked_in_part("large"));
	EXPECT_FALSE(p->walked_in_part("m"));
}

TEST(FaultPolicy, RefusesEntriesWithoutReasonOrWithWildcards)
{
	for (const char *wrong : {R"({"allocators": []})", "[]", "x",
				  R"({"allocators": [], "not allocators": [], "fallbacks": [], "outcomes": [], "unreachable":
				  [{"module": "m", "function": "*", "callee": "f", "reason": "r"}]})",
				  R"({"allocators": [], "not allocators": [], "fallbacks": [], "outcomes": [], "unreachable":
				  [{"module": "m", "function": "f", "callee": "f", "reason": ""}]})"})
		EXPECT_EQ(FaultPolicy::parse(wrong).code(), EINVAL) << wrong;
}

TEST(FaultPolicy, NamesOfOutcomes)
{
	EXPECT_EQ(outcome_name(Status()), "good");
	EXPECT_EQ(outcome_name(Error{ENOMEM, {}, {}}), "ENOMEM");
}

} // namespace
} // namespace lio::test
