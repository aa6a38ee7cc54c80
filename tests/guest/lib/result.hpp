// SPDX-License-Identifier: GPL-2.0
// Errors as values: what failed, on which path, with which errno.
#pragma once

#include <cerrno>
#include <ostream>
#include <string>
#include <utility>
#include <variant>

namespace lio::test {

struct Error {
	int code = 0; ///< errno of the failing call, or the closest one
	std::string path; ///< file, device or program that failed
	std::string what; ///< the operation, in words

	std::string str() const;
};

std::ostream &operator<<(std::ostream &os, const Error &e);

/// Error of the system call that just failed (reads errno).
Error sys_error(std::string path, std::string what);

struct Unit {};

/// A value or an Error: the part of std::expected that the harness needs.
template <class T = Unit> class [[nodiscard]] Result {
	std::variant<T, Error> v_;

public:
	using value_type = T;
	Result(T value) : v_(std::in_place_index<0>, std::move(value)) {}
	Result(Error error) : v_(std::in_place_index<1>, std::move(error)) {}
	Result()
		requires std::is_same_v<T, Unit>
	: v_(std::in_place_index<0>) {}

	bool ok() const { return v_.index() == 0; }
	explicit operator bool() const { return ok(); }
	T &operator*() & { return std::get<0>(v_); }
	const T &operator*() const & { return std::get<0>(v_); }
	T &&operator*() && { return std::get<0>(std::move(v_)); }
	T *operator->() { return &std::get<0>(v_); }
	const T *operator->() const { return &std::get<0>(v_); }
	const Error &error() const { return std::get<1>(v_); }
	/// 0 when it went well, else the errno: what tests of error numbers compare.
	int code() const { return ok() ? 0 : error().code; }
	T value_or(T other) const { return ok() ? std::get<0>(v_) : std::move(other); }
};

using Status = Result<Unit>;

} // namespace lio::test

#define LIO_CONCAT2(a, b) a##b
#define LIO_CONCAT(a, b) LIO_CONCAT2(a, b)

/// Return the error of @expr from a function that returns a Result itself.
#define LIO_CHECK(expr)                              \
	do {                                         \
		if (auto lio_s_ = (expr); !lio_s_)   \
			return lio_s_.error();       \
	} while (0)

/// Declare @decl with the value of @expr, or return its error.
#define LIO_TRY(decl, expr) LIO_TRY_(LIO_CONCAT(lio_r_, __LINE__), decl, expr)
#define LIO_TRY_(tmp, decl, expr)         \
	auto tmp = (expr);                \
	if (!tmp)                         \
		return tmp.error();       \
	decl = std::move(*tmp)
