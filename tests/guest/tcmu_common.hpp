// SPDX-License-Identifier: GPL-2.0
// What the tests of userspace LUNs share: handlers that can be killed and started again, and
// traffic that goes on beside a test.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "block_io.hpp"
#include "clients.hpp"
#include "loopback.hpp"
#include "process.hpp"

namespace lio::test {

/// Which program serves the LUN.
enum class Server { tcmu_file, tcmu_runner };

/// A handler program for one backstore, started and killed as often as a test likes.
class LiveHandler {
	Server server_;
	std::string backstore_, image_;
	std::optional<Process> file_;
	std::optional<TcmuRunner> runner_;

public:
	LiveHandler(Server server, std::string backstore, std::string image)
		: server_(server), backstore_(std::move(backstore)), image_(std::move(image))
	{}

	/// Begin to run; with tcmu-runner back when it has adopted its devices.
	Status start();
	/// It has the backstore's device open.
	Status wait_owns(milliseconds limit = seconds(30));
	/// tcmu-runner's image is ready for the next one afterwards.
	Status kill9();
	Status stop();
	bool running() { return process().running(); }
	std::string output() const;

private:
	Process &process() { return server_ == Server::tcmu_file ? *file_ : runner_->process(); }
};

/// A served disk: image file, handler, backstore and LUN, ready for I/O.
struct ServedDisk {
	TempDir dir;
	std::unique_ptr<LiveHandler> handler;
	std::optional<LoopDisk> disk;

	/// @attribs as in BackstoreSpec; @control is added to what the server needs.
	static Result<ServedDisk> create(Server server, const std::string &name, uint64_t bytes,
					 std::vector<std::pair<std::string, std::string>> attribs = {},
					 std::vector<std::string> control = {});
};

/// Writes and verifies a disk in a process of its own until it is told to stop.
class Background {
	Process process_;

public:
	static Result<Background> start(const std::string &node, uint64_t bytes);
	struct Report {
		unsigned rounds = 0;
		double slowest = 0; ///< seconds of the slowest round
	};
	/// Ends it. What it saw go wrong is an Error.
	Result<Report> stop();

private:
	explicit Background(Process p) : process_(std::move(p)) {}
};

/// The part of a processor's time that nobody used during @span, 0 to 1.
Result<double> idle_share(milliseconds span);

} // namespace lio::test
