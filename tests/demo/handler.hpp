// SPDX-License-Identifier: GPL-2.0
// The two programs that serve the demo's LUNs.
#pragma once

#include <optional>
#include <string>

#include "clients.hpp"
#include "process.hpp"
#include "result.hpp"

namespace lio::demo {

using test::Status;

/// A handler program that can be started, killed and started again.
class Handler {
public:
	virtual ~Handler() = default;
	virtual const char *name() const = 0;
	virtual Status start() = 0;
	/// SIGKILL: it has no chance to tidy up.
	virtual Status kill9() = 0;
	virtual Status stop() = 0;
	/// It has the device of this backstore open.
	virtual Status wait_owns(const std::string &backstore) = 0;
};

class TcmuRunnerHandler : public Handler {
	std::optional<test::TcmuRunner> runner_;
	std::string image_;

public:
	explicit TcmuRunnerHandler(std::string image) : image_(std::move(image)) {}
	const char *name() const override { return "tcmu-runner"; }
	Status start() override;
	Status kill9() override;
	Status stop() override { return runner_->stop(); }
	Status wait_owns(const std::string &backstore) override { return runner_->wait_owns(backstore); }
};

class TcmuFileHandler : public Handler {
	std::optional<test::Process> process_;

public:
	const char *name() const override { return "tcmu-file"; }
	Status start() override;
	Status kill9() override;
	Status stop() override { return process_->stop(); }
	Status wait_owns(const std::string &backstore) override;
};

} // namespace lio::demo
