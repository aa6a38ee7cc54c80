// SPDX-License-Identifier: GPL-2.0
#include "handler.hpp"

#include <csignal>

#include "backstore.hpp"

namespace lio::demo {

using namespace test;

Status TcmuRunnerHandler::start()
{
	LIO_TRY(runner_, TcmuRunner::start());
	return {};
}

Status TcmuFileHandler::start()
{
	LIO_TRY(process_, Process::spawn({"tcmu-file", "--create"}));
	return {};
}

Status TcmuRunnerHandler::kill9()
{
	LIO_CHECK(runner_->kill9());
	return test::repair_qcow(image_);
}

Status TcmuFileHandler::kill9()
{
	LIO_CHECK(process_->kill(SIGKILL));
	LIO_CHECK(process_->wait(seconds(30)));
	return {};
}

Status TcmuFileHandler::wait_owns(const std::string &backstore)
{
	LIO_TRY(std::string node, uio_node(backstore));
	LIO_CHECK(wait_until(Deadline(seconds(20)), "tcmu-file to open " + node, [&] {
		return process_has_open(process_->pid(), node) || !process_->running();
	}));
	if (!process_->running())
		return Error{ECHILD, "tcmu-file", "it ended (" + process_->output() + "):"};
	return {};
}

} // namespace lio::demo
