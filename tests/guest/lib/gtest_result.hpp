// SPDX-License-Identifier: GPL-2.0
// The joint between Result and GoogleTest, and what every test file includes.
#pragma once

#include <gtest/gtest.h>

#include "result.hpp"

namespace lio::test {

template <class T>
testing::AssertionResult is_ok(const char *expr, const Result<T> &r)
{
	if (r.ok())
		return testing::AssertionSuccess();
	return testing::AssertionFailure() << expr << ": " << r.error().str();
}

template <class T>
testing::AssertionResult has_errno(const char *expr, const char *, const Result<T> &r, int code)
{
	if (r.code() == code)
		return testing::AssertionSuccess();
	return testing::AssertionFailure() << expr << ": errno " << r.code() << ", expected " << code
					   << (r.ok() ? std::string() : " (" + r.error().str() + ")");
}

} // namespace lio::test

#define ASSERT_OK(expr) ASSERT_PRED_FORMAT1(::lio::test::is_ok, expr)
#define EXPECT_OK(expr) EXPECT_PRED_FORMAT1(::lio::test::is_ok, expr)
#define EXPECT_ERRNO(expr, code) EXPECT_PRED_FORMAT2(::lio::test::has_errno, expr, code)

/// Declare @decl with the value of @expr, or fail the test here.
#define ASSERT_OK_AND_ASSIGN(decl, expr) \
	ASSERT_OK_AND_ASSIGN_(LIO_CONCAT(lio_r_, __LINE__), decl, expr)
#define ASSERT_OK_AND_ASSIGN_(tmp, decl, expr)                      \
	auto tmp = (expr);                                          \
	ASSERT_TRUE(tmp.ok()) << #expr << ": " << tmp.error().str(); \
	decl = std::move(*tmp)
