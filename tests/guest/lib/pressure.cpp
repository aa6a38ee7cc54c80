// SPDX-License-Identifier: GPL-2.0
#include "pressure.hpp"

#include <cerrno>
#include <cstdlib>
#include <sstream>

#include "block_io.hpp"
#include "pattern.hpp"

namespace lio::test {

Result<std::string> scratch_disk(unsigned index)
{
	const char *disks = std::getenv("LAB_DISKS");
	std::istringstream names(disks ? disks : "");
	std::string name;
	for (unsigned i = 0; i <= index; i++)
		if (!(names >> name))
			return Error{ENODEV, "LAB_DISKS", "find scratch disk " + std::to_string(index)};
	return name;
}

Result<uint64_t> memory_bytes()
{
	LIO_TRY(std::string text, read_file("/proc/meminfo"));
	std::istringstream in(text);
	std::string key;
	uint64_t kib = 0;
	in >> key >> kib;
	return kib * 1024;
}

Result<Mount> make_ext4(const std::string &node, const std::string &dir, const std::string &options)
{
	LIO_CHECK(run_ok({"mkfs.ext4", "-q", "-F", node}, seconds(120)));
	LIO_CHECK(make_dirs(dir));
	return Mount::create(node, dir, "ext4", options);
}

Result<std::vector<Process>> PatternFiles::start_writers(uint64_t seed) const
{
	std::vector<Process> writers;
	for (int i = 0; i < count_; i++) {
		LIO_TRY(Process p, Process::fork_body("writer", [this, i, seed] {
			if (!make_sparse_file(path(i), bytes_))
				return 1;
			auto file = BlockFile::open(path(i), false);
			return file && file->write_pattern(0, bytes_, seed) ? 0 : 2;
		}));
		writers.push_back(std::move(p));
	}
	return writers;
}

Status PatternFiles::verify(uint64_t seed) const
{
	LIO_CHECK(write_value("/proc/sys/vm/drop_caches", "3"));
	for (int i = 0; i < count_; i++) {
		LIO_TRY(BlockFile file, BlockFile::open(path(i), false));
		LIO_CHECK(file.verify_pattern(0, bytes_, seed));
	}
	return {};
}

} // namespace lio::test
