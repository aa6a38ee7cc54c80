// SPDX-License-Identifier: GPL-2.0
#include "alloc_sites.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <regex>

#include <elf.h>

#include "file.hpp"

namespace lio::test {

namespace {

constexpr uint8_t op_call = 0xe8, op_jmp = 0xe9, op_two_bytes = 0x0f;

bool is_conditional_jump(uint8_t first, uint8_t second)
{
	return first == op_two_bytes && second >= 0x80 && second <= 0x8f;
}

enum class Branch { none, call, jump };

/// The instruction whose 32-bit operand lies at @field.
Branch branch_at(const std::vector<uint8_t> &code, uint64_t field)
{
	if (field < 1 || field + 4 > code.size())
		return Branch::none;
	if (code[field - 1] == op_call)
		return Branch::call;
	if (code[field - 1] == op_jmp || (field > 1 && is_conditional_jump(code[field - 2], code[field - 1])))
		return Branch::jump;
	return Branch::none;
}

} // namespace

std::string source_name(const std::string &symbol)
{
	static const std::regex suffix(R"(\.(isra|constprop|part|cold)(\.\d+)?)");
	return std::regex_replace(symbol, suffix, "");
}

std::string CallSite::str() const
{
	char at[32];
	snprintf(at, sizeof(at), "+%#llx", static_cast<unsigned long long>(offset));
	return function + at + " -> " + callee + (tail ? " (tail call)" : "");
}

/// Reads what ModuleImage needs; every offset is checked against the file.
class ElfReader {
	std::span<const uint8_t> file_;
	std::vector<Elf64_Shdr> headers_;
	std::vector<Elf64_Sym> symbols_;
	std::vector<std::string> section_names_, symbol_names_;

	template <class T> bool get(uint64_t offset, T &value) const
	{
		if (offset > file_.size() || sizeof(T) > file_.size() - offset)
			return false;
		memcpy(&value, file_.data() + offset, sizeof(T));
		return true;
	}

	std::string text(const Elf64_Shdr &table, uint64_t offset) const
	{
		if (offset >= table.sh_size || table.sh_offset > file_.size() ||
		    table.sh_size > file_.size() - table.sh_offset)
			return {};
		auto at = reinterpret_cast<const char *>(file_.data() + table.sh_offset + offset);
		return std::string(at, strnlen(at, table.sh_size - offset));
	}

	template <class T> std::vector<T> table(const Elf64_Shdr &h) const
	{
		std::vector<T> entries(std::min<uint64_t>(h.sh_size, file_.size()) / sizeof(T));
		for (size_t i = 0; i < entries.size(); i++)
			if (!get(h.sh_offset + i * sizeof(T), entries[i]))
				return {};
		return entries;
	}

	bool is_code(size_t i) const
	{
		return i < headers_.size() && headers_[i].sh_flags & SHF_EXECINSTR && headers_[i].sh_size &&
		       headers_[i].sh_type == SHT_PROGBITS;
	}

public:
	explicit ElfReader(std::span<const uint8_t> file) : file_(file) {}

	bool read_headers();
	void read_symbols();
	void take_code(ModuleImage &image) const;
	void take_relocations(ModuleImage &image) const;

private:
	std::string target_name(const ModuleImage &image, const Elf64_Rela &r) const;
};

bool ElfReader::read_headers()
{
	Elf64_Ehdr eh;
	if (!get(0, eh) || memcmp(eh.e_ident, ELFMAG, SELFMAG) || eh.e_machine != EM_X86_64 ||
	    eh.e_type != ET_REL || eh.e_shstrndx >= eh.e_shnum)
		return false;
	headers_.resize(eh.e_shnum);
	for (size_t i = 0; i < headers_.size(); i++)
		if (!get(eh.e_shoff + i * sizeof(Elf64_Shdr), headers_[i]))
			return false;
	for (const auto &h : headers_)
		section_names_.push_back(text(headers_[eh.e_shstrndx], h.sh_name));
	return true;
}

void ElfReader::read_symbols()
{
	for (const auto &h : headers_) {
		if (h.sh_type != SHT_SYMTAB || h.sh_link >= headers_.size())
			continue;
		symbols_ = table<Elf64_Sym>(h);
		for (const auto &s : symbols_)
			symbol_names_.push_back(text(headers_[h.sh_link], s.st_name));
	}
}

void ElfReader::take_code(ModuleImage &image) const
{
	for (size_t i = 0; i < headers_.size(); i++) {
		if (!is_code(i))
			continue;
		auto &s = image.sections_[section_names_[i]];
		s.name = section_names_[i];
		s.bytes = table<uint8_t>(headers_[i]);
	}
	for (size_t i = 0; i < symbols_.size(); i++) {
		const Elf64_Sym &sym = symbols_[i];
		if (sym.st_shndx == SHN_UNDEF && !symbol_names_[i].empty())
			image.imports_.insert(symbol_names_[i]);
		else if (ELF64_ST_TYPE(sym.st_info) == STT_FUNC && is_code(sym.st_shndx))
			image.sections_[section_names_[sym.st_shndx]].functions.push_back(
				{sym.st_value, sym.st_size, symbol_names_[i]});
	}
	for (auto &[name, s] : image.sections_)
		std::sort(s.functions.begin(), s.functions.end(),
			  [](const auto &a, const auto &b) { return a.start < b.start; });
}

/// The name of an import, or of the function of this module that a call leads to.
std::string ElfReader::target_name(const ModuleImage &image, const Elf64_Rela &r) const
{
	size_t i = ELF64_R_SYM(r.r_info);
	if (i >= symbols_.size())
		return {};
	const Elf64_Sym &sym = symbols_[i];
	if (sym.st_shndx == SHN_UNDEF)
		return symbol_names_[i];
	if (!is_code(sym.st_shndx))
		return {};
	// Operands are relative to their end: 4 bytes on.
	return image.function_at({section_names_[sym.st_shndx], sym.st_value + uint64_t(r.r_addend) + 4});
}

void ElfReader::take_relocations(ModuleImage &image) const
{
	for (const auto &h : headers_) {
		if (h.sh_type != SHT_RELA || !is_code(h.sh_info))
			continue;
		auto &s = image.sections_[section_names_[h.sh_info]];
		for (const auto &r : table<Elf64_Rela>(h))
			if (ELF64_R_TYPE(r.r_info) == R_X86_64_PLT32 || ELF64_R_TYPE(r.r_info) == R_X86_64_PC32)
				s.targets[r.r_offset] = target_name(image, r);
	}
}

Result<ModuleImage> ModuleImage::parse(std::span<const uint8_t> file)
{
	ElfReader reader(file);
	if (!reader.read_headers())
		return Error{ENOEXEC, {}, "no relocatable x86-64 ELF file:"};
	ModuleImage image;
	reader.read_symbols();
	reader.take_code(image);
	reader.take_relocations(image);
	return image;
}

Result<ModuleImage> ModuleImage::read(const std::string &path)
{
	LIO_TRY(std::string content, read_file(path));
	auto image = parse({reinterpret_cast<const uint8_t *>(content.data()), content.size()});
	if (!image)
		return Error{image.code(), path, image.error().what};
	return image;
}

std::map<std::string, uint64_t> ModuleImage::code_sizes() const
{
	std::map<std::string, uint64_t> sizes;
	for (const auto &[name, s] : sections_)
		sizes[name] = s.bytes.size();
	return sizes;
}

const ModuleImage::Function *ModuleImage::find_function(const Section &s, uint64_t offset) const
{
	for (const auto &f : s.functions)
		if (offset >= f.start && offset < f.start + std::max<uint64_t>(f.size, 1))
			return &f;
	return nullptr;
}

std::string ModuleImage::function_at(const CodePlace &place) const
{
	auto s = sections_.find(place.section);
	if (s == sections_.end())
		return {};
	const Function *f = find_function(s->second, place.offset);
	return f ? source_name(f->name) : std::string();
}

std::vector<CallSite> ModuleImage::calls_of(const std::set<std::string> &names) const
{
	std::vector<CallSite> sites;
	for (const auto &[name, s] : sections_)
		for (const auto &[field, target] : s.targets) {
			Branch b = branch_at(s.bytes, field);
			if (b == Branch::none || !imports_.count(target) || !names.count(target))
				continue;
			// The instruction, not its return address, which may be behind the function.
			const Function *f = find_function(s, field - 1);
			sites.push_back({name, field + 4, f ? source_name(f->name) : "?",
					 field + 4 - (f ? f->start : 0), target, b == Branch::jump});
		}
	return sites;
}

std::optional<std::string> ModuleImage::callee_before(const CodePlace &ret) const
{
	auto found = sections_.find(ret.section);
	if (found == sections_.end() || ret.offset < 5 || ret.offset > found->second.bytes.size())
		return {};
	const Section &s = found->second;
	uint64_t field = ret.offset - 4;
	if (branch_at(s.bytes, field) != Branch::call)
		return {};
	if (auto t = s.targets.find(field); t != s.targets.end())
		return t->second;
	int32_t distance;
	memcpy(&distance, &s.bytes[field], sizeof(distance));
	return function_at({ret.section, ret.offset + uint64_t(int64_t(distance))});
}

std::vector<std::string> unclassified_imports(const ModuleImage &image, const std::set<std::string> &allocators,
					      const std::set<std::string> &others)
{
	static const std::regex suspicious(
		"alloc|dup|asprintf|register|_add|create|insert|store|setup|clone|ref_init|skb|genl|set_name|submit");
	static const std::regex opposite("unregister|deregister|free|destroy|remove|restore|list_add|asan");
	std::vector<std::string> unknown;
	for (const auto &i : image.imports())
		if (std::regex_search(i, suspicious) && !std::regex_search(i, opposite) && !allocators.count(i) &&
		    !others.count(i))
			unknown.push_back(i);
	return unknown;
}

} // namespace lio::test
