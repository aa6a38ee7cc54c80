// SPDX-License-Identifier: GPL-2.0
#include "file_tree.hpp"

#include <cstdio>
#include <filesystem>

#include "pattern.hpp"

namespace lio::demo {

namespace fs = std::filesystem;

namespace {

Result<TreeEntry> read_entry(const fs::directory_entry &file)
{
	TreeEntry e;
	if (file.is_symlink()) {
		e.type = 'l';
		e.target = fs::read_symlink(file.path());
	} else if (file.is_directory()) {
		e.type = 'd';
	} else {
		e.bytes = file.file_size();
		LIO_TRY(e.crc32c, test::file_crc32c(file.path()));
	}
	return e;
}

} // namespace

Result<FileTree> read_tree(const std::string &top)
{
	FileTree tree;
	try {
		for (const auto &file : fs::recursive_directory_iterator(top)) {
			LIO_TRY(TreeEntry e, read_entry(file));
			tree.files += e.type == '-';
			tree.bytes += e.bytes;
			tree.entries[file.path().lexically_relative(top)] = e;
		}
	} catch (const fs::filesystem_error &e) {
		return test::Error{e.code().value(), e.path1(), "walk"};
	}
	return tree;
}

namespace {

std::string describe(const TreeEntry &e)
{
	char text[64];
	snprintf(text, sizeof(text), "%c, %llu bytes, CRC %08x", e.type, static_cast<unsigned long long>(e.bytes), e.crc32c);
	return text;
}

} // namespace

std::vector<std::string> differing_paths(const FileTree &a, const FileTree &b)
{
	std::vector<std::string> paths;
	for (const auto &[path, entry] : a.entries) {
		auto other = b.entries.find(path);
		if (other == b.entries.end())
			paths.push_back(path + " is missing");
		else if (other->second != entry)
			paths.push_back(path + " (" + describe(entry) + ", now " + describe(other->second) + ")");
	}
	for (const auto &[path, entry] : b.entries)
		if (!a.entries.contains(path))
			paths.push_back(path + " is new");
	return paths;
}

} // namespace lio::demo
