// SPDX-License-Identifier: GPL-2.0
// The distribution's fabrics over the core that is loaded: what their tests share.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "backstore.hpp"
#include "block_io.hpp"
#include "process.hpp"
#include "sg.hpp"

namespace lio::test {

inline constexpr uint64_t mixed_bytes = 16 << 20;

/// Directories and links, taken away in the opposite order.
class ConfigTree {
	std::vector<Removal> made_;

public:
	ConfigTree() = default;
	ConfigTree(ConfigTree &&) noexcept = default;
	ConfigTree &operator=(ConfigTree &&) = delete;
	~ConfigTree();
	Status dir(const std::string &path);
	Status link(const std::string &target, const std::string &path);
	/// TPG/lun/lun_N that leads to @backstore.
	Status lun(const std::string &tpg, uint64_t number, const Backstore &backstore);
	/// An entry of @acl, a directory of TPG/acls, that leads to a LUN of the TPG.
	Status mapped_lun(const std::string &tpg, const std::string &acl, uint64_t number, uint64_t lun);
	/// The last made but @keep ones go now.
	Status clear(size_t keep = 0);
	size_t size() const { return made_.size(); }
};

/// Writes and reads back with blocks of 4 KiB to 1 MiB, each size with data of its own.
Status verify_blocks(const std::string &node, uint64_t bytes = mixed_bytes);

/// The disk that is LUN @lun of the SCSI target directory @target (".../targetH:C:I"): its block node, ready.
Result<std::string> scsi_disk_of(const std::string &target, uint64_t lun, milliseconds limit = seconds(40));

/// Random writes that are read back, in a process of its own, until stop().
class MixedTraffic {
	TempDir dir_;
	std::string disk_;
	Process process_;

public:
	/// What the process ends with.
	enum Verdict { good = 0, io_error = 10, wrong_data = 11 };
	static Result<MixedTraffic> start(const std::string &node);
	/// Commands go on: at least @commands more from now.
	Status wait_progress(uint64_t commands, milliseconds limit);
	/// As it ends by itself, or with @stop is told to.
	Result<int> end(bool stop, milliseconds limit);

private:
	MixedTraffic(TempDir dir, std::string disk, Process process)
		: dir_(std::move(dir)), disk_(std::move(disk)), process_(std::move(process)) {}
};

/// An iSCSI target with one TPG on 127.0.0.1:3260.
class IscsiTarget {
	ConfigTree tree_;

public:
	static constexpr const char *name = "iqn.2026-01.org.x:mixed", *initiator = "iqn.2026-01.org.x:i",
				    *portal = "127.0.0.1:3260";
	static std::string tpg();
	/// Not enabled yet; anybody may log in and write with @demo.
	static Result<IscsiTarget> create(bool demo);
	IscsiTarget(IscsiTarget &&) noexcept = default;
	~IscsiTarget();

	ConfigTree &tree() { return tree_; }
	std::string acl() const { return tpg() + "/acls/" + initiator; }
	Status enable(bool on) const { return write_value_within(tpg() + "/enable", on ? "1" : "0", seconds(45)); }
	Status destroy();

private:
	IscsiTarget() = default;
};

/// open-iscsi's daemon.
class Iscsid {
	Process process_;

public:
	static Result<Iscsid> start();

private:
	explicit Iscsid(Process process) : process_(std::move(process)) {}
};

/// open-iscsi's login to IscsiTarget; logged out at the end of the scope.
class IscsiLogin {
	bool in_ = false;

public:
	/// @settings of the node's record, e.g. {"node.conn[0].iscsi.HeaderDigest", "CRC32C"}.
	static Result<IscsiLogin> login(const std::vector<std::pair<std::string, std::string>> &settings = {});
	IscsiLogin(IscsiLogin &&o) noexcept : in_(std::exchange(o.in_, false)) {}
	~IscsiLogin();
	Status logout();
	/// .../targetH:C:I of the session.
	Result<std::string> scsi_target() const;
	Result<std::string> disk(uint64_t lun) const;
	Result<SgDevice> open_sg(uint64_t lun) const;
	/// The LUNs that the initiator found.
	Result<std::vector<std::string>> luns() const;

private:
	IscsiLogin() = default;
};

} // namespace lio::test
