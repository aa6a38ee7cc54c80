// SPDX-License-Identifier: GPL-2.0
// The unmodified userspace: targetcli, targetctl, tcmu-runner.
#pragma once

#include <string>
#include <vector>

#include "clock.hpp"
#include "process.hpp"
#include "result.hpp"

namespace lio::test {

/// targetcli and tcmu-runner talk over the system bus: start it if it is not there.
Status ensure_dbus();

/// Run @commands in one targetcli process (a call costs seconds). Gives what it printed; a
/// command that targetcli complains about does not make its status differ, so read the output.
Result<std::string> targetcli(const std::vector<std::string> &commands, milliseconds limit = seconds(120));

Status targetctl_save(const std::string &json_file);
Status targetctl_restore(const std::string &json_file);
/// Clears the configuration; the fabrics' empty directories, which hold their modules, too.
Status targetctl_clear();

/// A running tcmu-runner.
class TcmuRunner {
	Process process_;

public:
	/// Gone again when the scope ends. Handlers find their devices by themselves.
	static Result<TcmuRunner> start();
	/// It has /dev/uioN of this backstore open.
	Status wait_owns(const std::string &backstore_name, milliseconds limit = seconds(20));
	Status kill9();
	Status stop() { return process_.stop(); }
	Process &process() { return process_; }

private:
	explicit TcmuRunner(Process p) : process_(std::move(p)) {}
};

/// Mends the tables of the qcow2 image that a killed tcmu-runner had; before the next one starts.
Status repair_qcow(const std::string &image);

/// Has @pid the device @node open?
bool process_has_open(pid_t pid, const std::string &node);

} // namespace lio::test
