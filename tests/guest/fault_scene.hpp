// SPDX-License-Identifier: GPL-2.0
// What the scenarios are played on. Made straight in configfs: the harness's own classes look after
// modules first, which takes longer than what is tested here.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "backstore.hpp"
#include "file.hpp"

namespace lio::test {

/// A user backstore with small memory, in steps.
struct UserDevice {
	std::optional<Removal> hba, dev;

	static constexpr const char *name = "fault";
	std::string path() const { return dev->path(); }
	Status make_hba();
	Status make();
	/// Written to control before it is enabled.
	static std::vector<std::string> settings();
	Status configure() const;
	Status enable() const { return write_value(path() + "/enable", "1"); }
	Status make_enabled();
	/// Device and HBA, whichever are there.
	Status remove();
};

/// A target of tcm_loop, in steps.
struct LoopScene {
	std::optional<Removal> wwn, tpg;

	static constexpr const char *port = "naa.50014050fa017001";
	Status make_wwn();
	Status make_tpg();
	Status make_nexus() const { return write_value(tpg->path() + "/nexus", port); }
	Status drop_nexus() const { return write_value(tpg->path() + "/nexus", "NULL"); }
	/// All that is there.
	Status remove();
};

} // namespace lio::test
