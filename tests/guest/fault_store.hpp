// SPDX-License-Identifier: GPL-2.0
// What is made and what is sent while memory is short: the core's scenarios and those of its backstores.
#pragma once

#include <string>
#include <vector>

#include "fault_walk.hpp"
#include "tcmtest_stage.hpp"

namespace lio::test {

inline constexpr uint32_t fault_block = 512;
inline constexpr uint64_t fault_bytes = 8 << 20; ///< of a medium that takes medium_commands()

/// Directories and links in the order in which they are made; they go in the opposite one.
struct Things {
	std::vector<Removal> made;

	Status dir(const std::string &path);
	Status link(const std::string &target, const std::string &path);
	Status remove();
};

/// A backstore from its HBA to its end. @control: a line each. @node: udev_path, where it has to be told before.
Status make_store(Things &t, const std::string &hba, const std::vector<std::string> &control,
		  const std::string &node = {});
/// @spec's backstore, which unmaps.
Result<Backstore> make_thin(const BackstoreSpec &spec);

/// What a command that found no memory is answered with is ENOMEM.
Status judged(const TestReply &r);

/// Commands one after the other, each with data of the right length.
class CommandList {
	struct Entry {
		Cdb cdb;
		std::vector<uint8_t> data;
		Data::Direction direction;
	};
	std::vector<Entry> entries_;

public:
	void none(const Cdb &c) { entries_.push_back({c, {}, Data::Direction::none}); }
	void in(const Cdb &c, size_t bytes) { entries_.push_back({c, std::vector<uint8_t>(bytes), Data::Direction::in}); }
	void out(const Cdb &c, std::vector<uint8_t> data)
	{
		entries_.push_back({c, std::move(data), Data::Direction::out});
	}
	/// To the first that is not GOOD.
	Status run(TestInitiator &io, uint32_t nexus);
};

/// Commands that a medium of fault_bytes answers with GOOD, with @fua one that has a cache.
CommandList medium_commands(bool fua);

/// A port for a backstore, and a nexus that has no unit attention left.
struct Player {
	TestPort port;
	TestInitiator io;
	uint32_t nexus;

	static Result<Player> create(const Backstore &store);
	/// Whatever came of a fault, the LUN works.
	Status works();
	Status destroy();
};

/// @s with @list for its act.
void walk_commands(const Backstore &store, CommandList list, Scenario s);

} // namespace lio::test
