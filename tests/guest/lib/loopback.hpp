// SPDX-License-Identifier: GPL-2.0
// tcm_loop targets and the SCSI devices that appear for their LUNs.
#pragma once

#include <cstdint>
#include <string>

#include "backstore.hpp"
#include "file.hpp"
#include "sg.hpp"

namespace lio::test {

/// A LUN directory with its link to a backstore.
class LoopLun {
	std::string tpg_;
	uint64_t lun_ = 0;
	Removal dir_, link_;

public:
	LoopLun(std::string tpg, uint64_t lun, Removal dir, Removal link)
		: tpg_(std::move(tpg)), lun_(lun), dir_(std::move(dir)), link_(std::move(link)) {}
	LoopLun(LoopLun &&) noexcept = default;
	LoopLun &operator=(LoopLun &&o) noexcept;

	uint64_t number() const { return lun_; }
	const std::string &path() const { return dir_.path(); }

	/// "H:C:I:L" by the TPG's `address` attribute.
	Result<std::string> scsi_address() const;
	/// /sys/bus/scsi/devices/H:C:I:L
	Result<std::string> scsi_device() const;
	/// /dev/sgN and /dev/sdX, waited for.
	Result<std::string> sg_node(milliseconds limit = seconds(20)) const;
	Result<std::string> block_node(milliseconds limit = seconds(20)) const;
	Result<SgDevice> open_sg(milliseconds limit = seconds(20)) const;

	/// Unlink and rmdir now.
	Status destroy(milliseconds limit = removal_limit);
	/// Only unlink: the SCSI device goes, the directory stays.
	Status unlink(milliseconds limit = removal_limit) { return link_.remove(limit); }
	/// Someone else (a `targetctl clear`) removes it.
	void release();

private:
	Result<std::string> child_node(const char *kind, milliseconds limit) const;
};

struct LoopSpec {
	std::string wwn; ///< naa.…, fc.… or iqn.…; empty: a fresh naa.
	unsigned tpgt = 1;
	bool nexus = true; ///< make the I_T nexus at once
	std::string initiator; ///< nexus name; empty: derived from the wwn
};

/// One WWN with one TPG. Destroy LUNs first (declare them later).
class LoopTarget {
	std::string wwn_;
	Removal wwn_dir_, tpg_dir_;
	bool nexus_ = false;

public:
	static Result<LoopTarget> create(const LoopSpec &spec = {});
	LoopTarget(LoopTarget &&) noexcept = default;
	LoopTarget &operator=(LoopTarget &&) = delete;
	~LoopTarget();

	const std::string &wwn() const { return wwn_; }
	const std::string &path() const { return wwn_dir_.path(); }
	const std::string &tpg() const { return tpg_dir_.path(); }
	Status make_nexus(const std::string &initiator);
	Status drop_nexus(milliseconds limit = removal_limit);
	Result<LoopLun> add_lun(uint64_t lun, const Backstore &backstore) const;
	/// "H:C:I" of the emulated target.
	Result<std::string> address() const { return read_value(tpg() + "/address"); }
	Status destroy(milliseconds limit = removal_limit);
	/// Someone else (a `targetctl clear`) removes it.
	void release();

private:
	LoopTarget(std::string wwn, Removal dir, Removal tpg)
		: wwn_(std::move(wwn)), wwn_dir_(std::move(dir)), tpg_dir_(std::move(tpg)) {}
};

/// tcm_loop, sd_mod and sg loaded, the fabric's directory there.
Status ensure_loopback();
/// A fresh naa.5… name.
std::string fresh_naa();

/// The common case: a backstore on LUN 0 of a target of its own, ready as a disk (a disk that is
/// removed while sd still probes it makes noise in the log).
struct LoopDisk {
	Backstore backstore;
	LoopTarget target;
	LoopLun lun;
	static Result<LoopDisk> create(const BackstoreSpec &spec);
};

} // namespace lio::test
