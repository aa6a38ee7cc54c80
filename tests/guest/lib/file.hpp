// SPDX-License-Identifier: GPL-2.0
// Files, directories and symlinks of the guest, with owners.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "clock.hpp"
#include "result.hpp"

namespace lio::test {

/// Owner of a file descriptor.
class Fd {
	int fd_ = -1;

public:
	Fd() = default;
	explicit Fd(int fd) : fd_(fd) {}
	Fd(Fd &&o) noexcept : fd_(std::exchange(o.fd_, -1)) {}
	Fd &operator=(Fd &&o) noexcept
	{
		reset(std::exchange(o.fd_, -1));
		return *this;
	}
	~Fd() { reset(); }
	void reset(int fd = -1);
	int get() const { return fd_; }
	explicit operator bool() const { return fd_ >= 0; }
};

Result<Fd> open_fd(const std::string &path, int flags, unsigned mode = 0600);

/// The whole content as the kernel gives it.
Result<std::string> read_file(const std::string &path);
/// The content without the trailing newline: for sysfs and configfs values.
Result<std::string> read_value(const std::string &path);
Result<uint64_t> read_number(const std::string &path);

/// One write(2) of @value into an existing file (an attribute): its errno is the attribute's.
Status write_value(const std::string &path, std::string_view value);
/// The same from a child process that is given up when @limit passes (ETIMEDOUT): for
/// attributes that a broken kernel may never return from.
Status write_value_within(const std::string &path, std::string_view value, milliseconds limit);
Status write_file(const std::string &path, std::string_view content);

bool exists(const std::string &path);
Result<std::vector<std::string>> list_dir(const std::string &path); ///< sorted, no . and ..
Result<std::string> read_link(const std::string &path);
Status make_dir(const std::string &path);
Status make_dirs(const std::string &path);
/// rmdir/unlink done by a child process, so that the caller is back when @limit has passed
/// (ETIMEDOUT) whatever the kernel does; the child is killed or left behind in D state.
Status remove_dir_within(const std::string &path, milliseconds limit);
Status unlink_within(const std::string &path, milliseconds limit);

/// How long a guard's destructor lets one removal take.
inline constexpr milliseconds removal_limit = seconds(60);

/// Something removed again at the end of its scope. A removal that fails is a test failure.
class Removal {
public:
	enum class Kind { dir, link };
	Removal() = default;
	Removal(Kind kind, std::string path) : kind_(kind), path_(std::move(path)) {}
	Removal(Removal &&o) noexcept : kind_(o.kind_), path_(std::exchange(o.path_, {})) {}
	Removal &operator=(Removal &&o) noexcept;
	~Removal() { drop(); }

	const std::string &path() const { return path_; }
	bool armed() const { return !path_.empty(); }
	/// Remove now and tell; afterwards the destructor has nothing to do, even after a failure.
	Status remove(milliseconds limit = removal_limit);
	/// Forget it: someone else removes.
	void release() { path_.clear(); }

private:
	void drop();
	Kind kind_ = Kind::dir;
	std::string path_;
};

/// mkdir, and rmdir at the end of the scope.
Result<Removal> make_dir_guard(const std::string &path);
/// symlink, and unlink at the end of the scope.
Result<Removal> make_link_guard(const std::string &target, const std::string &path);

/// Restores an attribute's earlier value at the end of the scope.
class AttrGuard {
	std::string path_, old_;

public:
	static Result<AttrGuard> set(const std::string &path, std::string_view value);
	AttrGuard(AttrGuard &&o) noexcept
		: path_(std::exchange(o.path_, {})), old_(std::move(o.old_)) {}
	AttrGuard &operator=(AttrGuard &&) = delete;
	~AttrGuard();

private:
	AttrGuard(std::string path, std::string old) : path_(std::move(path)), old_(std::move(old)) {}
};

/// A fresh directory under /tmp (or @base), removed with its contents.
class TempDir {
	std::string path_;

public:
	static Result<TempDir> create(const std::string &base = "/tmp");
	TempDir(TempDir &&o) noexcept : path_(std::exchange(o.path_, {})) {}
	TempDir &operator=(TempDir &&) = delete;
	~TempDir();
	const std::string &path() const { return path_; }
	std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

private:
	explicit TempDir(std::string path) : path_(std::move(path)) {}
};

} // namespace lio::test
