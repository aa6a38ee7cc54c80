// SPDX-License-Identifier: MIT
/** @file
 * Messages to standard error, one line each.
 */
#pragma once

#include <cstdint>
#include <string_view>

namespace tcmu {

enum class LogLevel : uint8_t { error, warning, info, debug };

/** Messages above @p level are dropped from now on. The default is info. */
void set_log_level(LogLevel level);
/** Write "<program>: <message>" as one line. Allocates nothing. */
void log(LogLevel level, std::string_view message);

/**
 * Lets through the first few of a kind of message and then a few a second, so
 * that a peer that causes them cannot flood the log. One thread uses it.
 */
class LogLimit {
public:
	/** Whether the message may be written now. */
	bool allow();

private:
	static constexpr unsigned burst = 10;
	static constexpr int64_t window_seconds = 5;

	int64_t window_start_ = 0;
	unsigned in_window_ = 0;
};

} // namespace tcmu
