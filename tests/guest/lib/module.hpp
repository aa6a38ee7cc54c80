// SPDX-License-Identifier: GPL-2.0
// Kernel modules: load and unload, and proof of which one is running.
#pragma once

#include <string>
#include <vector>

#include "clock.hpp"
#include "result.hpp"

namespace lio::test {

std::string kernel_release();

bool module_loaded(const std::string &name);
/// modprobe with parameters. Afterwards the loaded module must be the one the lab asked for:
/// for names in LAB_OURS that of /lib/modules/REL/updates, by its build id (not every module has
/// a srcversion), for others the distribution's.
Status load_module(const std::string &name, const std::vector<std::string> &params = {});
/// modprobe -r's work by rmmod, within @limit; ENOENT when it is not loaded.
Status unload_module(const std::string &name, milliseconds limit = seconds(30));
/// Only the check of load_module(), for modules that others loaded.
Status verify_module(const std::string &name);
Result<std::string> module_refcount(const std::string &name);

/// Did the lab put our build of this module into this guest?
bool module_is_ours(const std::string &name);

/// A module parameter in /sys/module.
std::string module_param_path(const std::string &module, const std::string &param);

} // namespace lio::test
