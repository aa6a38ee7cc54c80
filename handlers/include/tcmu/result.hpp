// SPDX-License-Identifier: MIT
/** @file
 * Errors as values: an errno with the operation and path that failed.
 */
#pragma once

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>
#include <variant>

namespace tcmu {

/** What went wrong: an errno value and what was being done to what. */
struct Error {
	int code = 0;
	std::string where;

	/** "open /dev/uio0: Device or resource busy" */
	std::string text() const
	{
		return code ? where + ": " + std::strerror(code) : where;
	}
};

/** The Error for the call that has just set errno. */
inline Error errno_error(std::string where)
{
	return {errno, std::move(where)};
}

/** A value, or the Error that stood in its way. */
template <class T> class [[nodiscard]] Result {
public:
	Result(T value) : held_(std::move(value)) {}
	Result(Error error) : held_(std::move(error)) {}

	explicit operator bool() const { return held_.index() == 0; }
	T &operator*() { return std::get<0>(held_); }
	const T &operator*() const { return std::get<0>(held_); }
	T *operator->() { return &std::get<0>(held_); }
	const T *operator->() const { return &std::get<0>(held_); }
	const Error &error() const { return std::get<1>(held_); }

private:
	std::variant<T, Error> held_;
};

/** Success, or the Error that stood in its way. */
template <> class [[nodiscard]] Result<void> {
public:
	Result() = default;
	Result(Error error) : error_(std::move(error)), failed_(true) {}

	explicit operator bool() const { return !failed_; }
	const Error &error() const { return error_; }

private:
	Error error_;
	bool failed_ = false;
};

using Status = Result<void>;

} // namespace tcmu
