// SPDX-License-Identifier: GPL-2.0
// What the core must be told of a command, given what the handler answered.
#pragma once

#include "device.hpp"
#include "handler.hpp"

namespace lio::unit {

/// Notes in the command how it must end when it is answered so.
void expect(Command &command, const Answer &answer);
/// Ends the program if the command, which nothing excuses, did not end as it must.
void check_outcome(const Command &command, const Outcome &outcome);

} // namespace lio::unit
