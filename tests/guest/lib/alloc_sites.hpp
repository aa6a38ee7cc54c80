// SPDX-License-Identifier: GPL-2.0
// Where a module allocates: the calls in its .ko to functions that do, by their relocations. Pure
// logic: no kernel needed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "result.hpp"

namespace lio::test {

/// A name as the source has it: without what the compiler appends (".isra.0", ".cold").
std::string source_name(const std::string &symbol);

/// A call or, where the compiler made one, a jump at a function's end.
struct CallSite {
	std::string section;
	uint64_t ret = 0; ///< offset behind the instruction: what a stack trace shows of a call
	std::string function; ///< that it is in
	uint64_t offset = 0; ///< of @ret in that function
	std::string callee;
	bool tail = false;

	std::string str() const; ///< "function+0x12 -> callee"
};

/// A place in a module's code.
struct CodePlace {
	std::string section;
	uint64_t offset = 0;
};

/// The code of a relocatable x86-64 ELF file.
class ModuleImage {
	struct Function {
		uint64_t start = 0, size = 0;
		std::string name;
	};
	struct Section {
		std::string name;
		std::vector<uint8_t> bytes;
		std::vector<Function> functions; ///< by start
		std::map<uint64_t, std::string> targets; ///< offset of a 32-bit field -> name of what it refers to
	};
	std::map<std::string, Section> sections_;
	std::set<std::string> imports_;

	friend class ElfReader;

public:
	static Result<ModuleImage> parse(std::span<const uint8_t> file);
	static Result<ModuleImage> read(const std::string &path);

	/// Sizes of the sections with code.
	std::map<std::string, uint64_t> code_sizes() const;
	/// All names that other modules or the kernel must provide.
	const std::set<std::string> &imports() const { return imports_; }
	/// Every call of and every jump to an import among @names, in the order of the code.
	std::vector<CallSite> calls_of(const std::set<std::string> &names) const;
	/// The function around a place, as the source calls it.
	std::string function_at(const CodePlace &place) const;
	/// What the call instruction before a return address calls.
	std::optional<std::string> callee_before(const CodePlace &ret) const;

private:
	const Function *find_function(const Section &s, uint64_t offset) const;
};

/// Imports of @image that look as if they allocate and are neither in @allocators nor in @others.
std::vector<std::string> unclassified_imports(const ModuleImage &image, const std::set<std::string> &allocators,
					      const std::set<std::string> &others);

} // namespace lio::test
