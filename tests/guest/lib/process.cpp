// SPDX-License-Identifier: GPL-2.0
#include "process.hpp"

#include <gtest/gtest.h>

#include <csignal>

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lio::test {

namespace {

Result<Fd> memory_file(const char *name, const std::string &content = {})
{
	Fd fd(memfd_create(name, MFD_CLOEXEC));
	if (!fd)
		return sys_error(name, "memfd_create");
	if (write(fd.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size()) ||
	    lseek(fd.get(), 0, SEEK_SET) < 0)
		return sys_error(name, "fill memfd");
	return fd;
}

/// In the child: stdin from @in, stdout and stderr to @out (O_APPEND so that both interleave).
void child_stdio(int in, int out)
{
	fcntl(out, F_SETFL, O_APPEND);
	if (in >= 0)
		dup2(in, 0);
	dup2(out, 1);
	dup2(out, 2);
}

/// In the child: die with the parent, even if it was gone before the prctl.
void child_die_with(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
}

[[noreturn]] void child_exec(const std::vector<std::string> &argv, const SpawnOptions &opts)
{
	if (!opts.netns.empty()) {
		int ns = open(("/var/run/netns/" + opts.netns).c_str(), O_RDONLY | O_CLOEXEC);
		if (ns < 0 || setns(ns, CLONE_NEWNET)) {
			perror(opts.netns.c_str());
			_exit(126);
		}
	}
	for (const auto &[key, value] : opts.env)
		setenv(key.c_str(), value.c_str(), 1);
	std::vector<char *> args;
	for (const auto &a : argv)
		args.push_back(const_cast<char *>(a.c_str()));
	args.push_back(nullptr);
	execvp(args[0], args.data());
	perror(args[0]);
	_exit(127);
}

int decode(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

} // namespace

Result<Process> Process::spawn(std::vector<std::string> argv, const SpawnOptions &opts)
{
	LIO_TRY(Fd in, memory_file("stdin", opts.input));
	LIO_TRY(Fd out, opts.log_file.empty() ? memory_file("output")
					      : open_fd(opts.log_file, O_RDWR | O_CREAT | O_TRUNC, 0644));
	pid_t parent = getpid();
	pid_t pid = fork();
	if (pid < 0)
		return sys_error(argv[0], "fork");
	if (pid == 0) {
		child_die_with(parent);
		child_stdio(in.get(), out.get());
		child_exec(argv, opts);
	}
	return Process(pid, argv[0], std::move(out));
}

Result<Process> Process::fork_body(std::string name, std::function<int()> body)
{
	LIO_TRY(Fd out, memory_file("output"));
	pid_t parent = getpid();
	pid_t pid = fork();
	if (pid < 0)
		return sys_error(name, "fork");
	if (pid == 0) {
		child_die_with(parent);
		child_stdio(-1, out.get());
		int status = body();
		fflush(nullptr);
		_exit(status);
	}
	return Process(pid, std::move(name), std::move(out));
}

Process::Process(Process &&o) noexcept
	: pid_(std::exchange(o.pid_, -1)), name_(std::move(o.name_)), out_(std::move(o.out_)),
	  status_(o.status_)
{
}

Process &Process::operator=(Process &&o) noexcept
{
	if (this != &o) {
		finish();
		pid_ = std::exchange(o.pid_, -1);
		name_ = std::move(o.name_);
		out_ = std::move(o.out_);
		status_ = o.status_;
	}
	return *this;
}

Process::~Process()
{
	finish();
}

void Process::finish()
{
	if (pid_ < 0 || status_)
		return;
	::kill(pid_, SIGKILL);
	if (auto r = wait(removal_limit); !r)
		ADD_FAILURE() << "killed child does not die: " << r.error();
}

bool Process::running()
{
	int status;
	if (!status_ && waitpid(pid_, &status, WNOHANG) == pid_)
		status_ = decode(status);
	return !status_;
}

Status Process::kill(int sig)
{
	if (!running())
		return Error{ESRCH, name_, "kill"};
	if (::kill(pid_, sig))
		return sys_error(name_, "kill");
	return {};
}

Result<int> Process::wait(milliseconds limit)
{
	if (Status s = wait_until(Deadline(limit), "exit of " + name_, [&] { return !running(); }); !s)
		return s.error();
	return *status_;
}

Status Process::stop(milliseconds grace)
{
	if (!running())
		return {};
	::kill(pid_, SIGTERM);
	if (wait(grace))
		return {};
	::kill(pid_, SIGKILL);
	LIO_CHECK(wait(removal_limit));
	return {};
}

std::string Process::output() const
{
	std::string s;
	struct stat st;
	if (fstat(out_.get(), &st))
		return s;
	s.resize(static_cast<size_t>(st.st_size));
	ssize_t n = pread(out_.get(), s.data(), s.size(), 0);
	s.resize(n > 0 ? static_cast<size_t>(n) : 0);
	return s;
}

Result<Exit> run(std::vector<std::string> argv, milliseconds limit, const SpawnOptions &opts)
{
	LIO_TRY(Process p, Process::spawn(std::move(argv), opts));
	auto status = p.wait(limit);
	if (!status) {
		Error e = status.error();
		e.what += "; it said: " + p.output();
		return e;
	}
	return Exit{*status, p.output()};
}

Result<std::string> run_ok(std::vector<std::string> argv, milliseconds limit,
			   const SpawnOptions &opts)
{
	std::string line;
	for (const auto &a : argv)
		line += (line.empty() ? "" : " ") + a;
	LIO_TRY(Exit e, run(std::move(argv), limit, opts));
	if (e.status)
		return Error{EIO, line, "status " + std::to_string(e.status) + " (" + e.output + ") from"};
	return e.output;
}

} // namespace lio::test
