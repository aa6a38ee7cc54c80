// SPDX-License-Identifier: GPL-2.0
// Child processes: their output is kept, they die with the test, they are reaped by a deadline.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "clock.hpp"
#include "file.hpp"

namespace lio::test {

struct SpawnOptions {
	std::string input{}; ///< what the child reads on stdin
	std::string netns{}; ///< name of the network namespace to run in (ip netns)
	std::vector<std::pair<std::string, std::string>> env{}; ///< added to the environment
	std::string log_file{}; ///< where the output goes instead of memory; output() reads it
};

struct Exit {
	int status = 0; ///< exit status, or 128 + signal
	std::string output; ///< stdout and stderr as they came
};

class Process {
	pid_t pid_ = -1;
	std::string name_;
	Fd out_;
	std::optional<int> status_;

public:
	static Result<Process> spawn(std::vector<std::string> argv, const SpawnOptions &opts = {});
	/// A child that runs @body of this program and exits with what it returns.
	static Result<Process> fork_body(std::string name, std::function<int()> body);
	Process(Process &&o) noexcept;
	Process &operator=(Process &&o) noexcept;
	/// SIGKILL and reap: a child that does not die is a test failure.
	~Process();

	pid_t pid() const { return pid_; }
	const std::string &name() const { return name_; }
	bool running();
	Status kill(int sig);
	/// Its exit status (128 + signal when killed), or ETIMEDOUT.
	Result<int> wait(milliseconds limit);
	/// SIGTERM, then SIGKILL when @grace has passed.
	Status stop(milliseconds grace = seconds(10));
	/// Everything it has printed so far.
	std::string output() const;

private:
	Process(pid_t pid, std::string name, Fd out)
		: pid_(pid), name_(std::move(name)), out_(std::move(out)) {}
	void finish();
};

/// Run to the end. Only a program that could not be run or did not end is an Error.
Result<Exit> run(std::vector<std::string> argv, milliseconds limit = seconds(60),
		 const SpawnOptions &opts = {});
/// The same where any status but 0 is an Error that holds the output; gives the output.
Result<std::string> run_ok(std::vector<std::string> argv, milliseconds limit = seconds(60),
			   const SpawnOptions &opts = {});

} // namespace lio::test
