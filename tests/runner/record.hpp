// SPDX-License-Identifier: GPL-2.0
// What a run's test binaries say of themselves, kept as data beside the tests.
#pragma once

#include <string>

#include "result.hpp"

namespace lio::check {

using test::Result;
using test::Status;

/// One job's results as JSON text: release, seed, and for every test its outcome, its seconds and
/// what it has recorded (RecordProperty). @dir is build/results/GROUP@KERNEL. ENOENT when the job
/// left no results of tests there.
Result<std::string> job_record(const std::string &dir);

/// Puts the records of all jobs below @results that have any into the file, in the place of older
/// ones of the same jobs.
Status update_record(const std::string &results, const std::string &file);

} // namespace lio::check
