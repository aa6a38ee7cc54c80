// SPDX-License-Identifier: GPL-2.0
#include "file.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lio::test {

void Fd::reset(int fd)
{
	if (fd_ >= 0)
		close(fd_);
	fd_ = fd;
}

Result<Fd> open_fd(const std::string &path, int flags, unsigned mode)
{
	int fd = open(path.c_str(), flags | O_CLOEXEC, mode);
	if (fd < 0)
		return sys_error(path, "open");
	return Fd(fd);
}

Result<std::string> read_file(const std::string &path)
{
	LIO_TRY(Fd fd, open_fd(path, O_RDONLY));
	std::string out;
	char buf[16384];
	for (;;) {
		ssize_t n = read(fd.get(), buf, sizeof(buf));
		if (n < 0)
			return sys_error(path, "read");
		if (n == 0)
			return out;
		out.append(buf, static_cast<size_t>(n));
	}
}

Result<std::string> read_value(const std::string &path)
{
	LIO_TRY(std::string s, read_file(path));
	while (!s.empty() && s.back() == '\n')
		s.pop_back();
	return s;
}

Result<uint64_t> read_number(const std::string &path)
{
	LIO_TRY(std::string s, read_value(path));
	char *end;
	errno = 0;
	uint64_t v = strtoull(s.c_str(), &end, 0);
	if (errno || end == s.c_str())
		return Error{EINVAL, path, "no number in '" + s + "'"};
	return v;
}

/// open and write without allocating: also run between fork and exit.
static int raw_write(const char *path, const char *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	ssize_t n = write(fd, data, len);
	int err = n < 0 ? errno : static_cast<size_t>(n) == len ? 0 : EIO;
	close(fd);
	return err;
}

Status write_value(const std::string &path, std::string_view value)
{
	int err = raw_write(path.c_str(), value.data(), value.size());
	if (err)
		return Error{err, path, "write '" + std::string(value) + "' to"};
	return {};
}

Status write_file(const std::string &path, std::string_view content)
{
	LIO_TRY(Fd fd, open_fd(path, O_WRONLY | O_CREAT | O_TRUNC, 0644));
	while (!content.empty()) {
		ssize_t n = write(fd.get(), content.data(), content.size());
		if (n < 0)
			return sys_error(path, "write");
		content.remove_prefix(static_cast<size_t>(n));
	}
	return {};
}

/// Wait for a child until @limit has passed.
static int wait_within(pid_t pid, milliseconds limit)
{
	Deadline deadline(limit);
	useconds_t nap = 200;
	for (;;) {
		int status;
		pid_t got = waitpid(pid, &status, WNOHANG);
		if (got == pid)
			return WIFEXITED(status) ? 0 : EINTR;
		if (got < 0)
			return errno;
		if (deadline.passed())
			return ETIMEDOUT;
		usleep(nap);
		nap = std::min<useconds_t>(nap * 2, 20000);
	}
}

/// Wait for a child until @limit has passed, then kill it. One that the kernel does not let die is
/// let go after a while.
static int reap_within(pid_t pid, milliseconds limit)
{
	int err = wait_within(pid, limit);
	if (err != ETIMEDOUT)
		return err;
	kill(pid, SIGKILL);
	wait_within(pid, seconds(5));
	return ETIMEDOUT;
}

/// Run a call that returns an errno in a child, and give it up when @limit passes.
template <class Call> static int call_within(milliseconds limit, Call call)
{
	// Through shared memory: an exit status has 8 bits, ENOTSUPP (524) has more.
	void *page = mmap(nullptr, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return errno;
	auto *result = static_cast<int *>(page);
	pid_t pid = fork();
	if (pid == 0) {
		*result = call();
		_exit(0);
	}
	int err = pid < 0 ? errno : reap_within(pid, limit);
	if (!err)
		err = *result;
	munmap(page, sizeof(int));
	return err;
}

Status write_value_within(const std::string &path, std::string_view value, milliseconds limit)
{
	int err = call_within(limit, [&] { return raw_write(path.c_str(), value.data(), value.size()); });
	if (err)
		return Error{err, path, "write '" + std::string(value) + "' to"};
	return {};
}

bool exists(const std::string &path)
{
	struct stat st;
	return lstat(path.c_str(), &st) == 0;
}

Result<std::vector<std::string>> list_dir(const std::string &path)
{
	DIR *d = opendir(path.c_str());
	if (!d)
		return sys_error(path, "list");
	std::vector<std::string> names;
	while (const dirent *e = readdir(d))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			names.push_back(e->d_name);
	closedir(d);
	std::sort(names.begin(), names.end());
	return names;
}

Result<std::string> read_link(const std::string &path)
{
	char buf[4096];
	ssize_t n = readlink(path.c_str(), buf, sizeof(buf));
	if (n < 0)
		return sys_error(path, "readlink");
	return std::string(buf, static_cast<size_t>(n));
}

Status make_dir(const std::string &path)
{
	if (mkdir(path.c_str(), 0755))
		return sys_error(path, "mkdir");
	return {};
}

Status make_dirs(const std::string &path)
{
	std::error_code ec;
	std::filesystem::create_directories(path, ec);
	if (ec)
		return Error{ec.value(), path, "mkdir -p"};
	return {};
}

Status remove_dir_within(const std::string &path, milliseconds limit)
{
	int err = call_within(limit, [&] { return rmdir(path.c_str()) ? errno : 0; });
	if (err)
		return Error{err, path, "rmdir"};
	return {};
}

Status unlink_within(const std::string &path, milliseconds limit)
{
	int err = call_within(limit, [&] { return unlink(path.c_str()) ? errno : 0; });
	if (err)
		return Error{err, path, "unlink"};
	return {};
}

Removal &Removal::operator=(Removal &&o) noexcept
{
	if (this != &o) {
		drop();
		kind_ = o.kind_;
		path_ = std::exchange(o.path_, {});
	}
	return *this;
}

Status Removal::remove(milliseconds limit)
{
	std::string path = std::exchange(path_, {});
	if (path.empty())
		return {};
	return kind_ == Kind::dir ? remove_dir_within(path, limit) : unlink_within(path, limit);
}

void Removal::drop()
{
	if (Status s = remove(); !s)
		ADD_FAILURE() << "clean-up: " << s.error();
}

Result<Removal> make_dir_guard(const std::string &path)
{
	LIO_CHECK(make_dir(path));
	return Removal(Removal::Kind::dir, path);
}

Result<Removal> make_link_guard(const std::string &target, const std::string &path)
{
	if (symlink(target.c_str(), path.c_str()))
		return sys_error(path, "symlink to " + target + " from");
	return Removal(Removal::Kind::link, path);
}

Result<AttrGuard> AttrGuard::set(const std::string &path, std::string_view value)
{
	LIO_TRY(std::string old, read_value(path));
	LIO_CHECK(write_value(path, value));
	return AttrGuard(path, std::move(old));
}

AttrGuard::~AttrGuard()
{
	if (path_.empty())
		return;
	if (Status s = write_value_within(path_, old_, removal_limit); !s)
		ADD_FAILURE() << "restoring an attribute: " << s.error();
}

Result<TempDir> TempDir::create(const std::string &base)
{
	std::string path = base + "/lio-XXXXXX";
	if (!mkdtemp(path.data()))
		return sys_error(path, "mkdtemp");
	return TempDir(std::move(path));
}

TempDir::~TempDir()
{
	if (path_.empty())
		return;
	std::error_code ec;
	std::filesystem::remove_all(path_, ec);
	if (ec)
		ADD_FAILURE() << "removing " << path_ << ": " << ec.message();
}

} // namespace lio::test
