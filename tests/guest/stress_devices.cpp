// SPDX-License-Identifier: GPL-2.0
// Devices that come and go: made, set up, enabled, opened by a handler, linked without one, removed.
#include <unistd.h>

#include "scripted_handler.hpp"
#include "stress_stage.hpp"

namespace lio::test {

namespace {

/// Answers of daemons and of those who cut the wait for them, besides the names' errors.
std::vector<int> daemon_errors()
{
	std::vector<int> all = name_errors;
	all.insert(all.end(), {EIO, EPROTO, EINTR, EAGAIN, ESRCH, ETIMEDOUT, EINVAL});
	return all;
}

/// One actor's device. Others write to its attributes, but only one enables it.
class Churner {
	StressStage &stage_;
	const std::string hba_, name_, device_;
	/// May outlive the device: what is mapped stays.
	std::optional<ScriptedHandler> handler_;

public:
	Churner(StressStage &stage, const std::string &hba, const std::string &name)
		: stage_(stage), hba_(target_root + "/core/" + hba), name_(name), device_(hba_ + "/" + name)
	{}

	Status make()
	{
		if (Status s = make_dir(hba_); !s && s.code() != EEXIST)
			return s;
		return make_dir(device_);
	}
	Status set_up(Random &random) const;
	Status enable() const { return write_value(device_ + "/enable", "1"); }
	Status open_handler();
	Status serve(Random &random);
	Status link(Random &random);
	Status unlink();
	Status remove() const { return rmdir(device_.c_str()) ? Status(sys_error(device_, "rmdir")) : Status(); }
	Status remove_hba() const { return rmdir(hba_.c_str()) ? Status(sys_error(hba_, "rmdir")) : Status(); }
	/// All at once, for a device that only one actor uses.
	Status whole_life(Random &random);

private:
	std::string linked_; ///< the LUN that was linked last
	std::string lun(Random &random) const
	{
		return stage_.tpgs()[random() % stage_.tpgs().size()].path + "/lun/lun_" + std::to_string(100 + random() % 2) + name_.back();
	}
};

Status Churner::set_up(Random &random) const
{
	LIO_CHECK(write_value(device_ + "/control", "dev_config=churn/" + name_ + ",dev_size=" +
							   std::to_string((1 + random() % 64) << 20) + ",hw_block_size=512"));
	LIO_CHECK(write_value(device_ + "/control", "max_data_area_mb=" + std::to_string(1 + random() % 4)));
	if (random() % 2)
		LIO_CHECK(write_value(device_ + "/control", "nl_reply_supported=-1"));
	return write_value(device_ + "/attrib/cmd_time_out", "1");
}

Status Churner::open_handler()
{
	handler_.reset();
	for (const auto &uio : list_dir("/sys/class/uio").value_or({})) {
		if (read_value("/sys/class/uio/" + uio + "/name").value_or("").find("/" + name_ + "/") == std::string::npos)
			continue;
		LIO_TRY(ScriptedHandler h, ScriptedHandler::open_node("/dev/" + uio));
		handler_.emplace(std::move(h));
		return {};
	}
	return idle();
}

/// An error once the device is gone; the memory is still there.
Status Churner::serve(Random &random)
{
	if (!handler_)
		return idle();
	for (Deadline d(milliseconds(random() % 500)); !d.passed();)
		if (auto e = handler_->next(d.left()); e && e->op == TCMU_OP_CMD)
			LIO_CHECK(handler_->finish(*e, {0x02, fixed_sense(SenseKey::illegal_request, 0x20, 0)}));
	if (random() % 4 == 0)
		handler_.reset();
	return {};
}

Status Churner::link(Random &random)
{
	if (read_value(device_ + "/attrib/cmd_time_out").value_or("0") != "1")
		return idle(); // another actor's value is for ever, or for too long
	std::string dir = linked_ = lun(random);
	if (Status s = make_dir(dir); !s && s.code() != EEXIST)
		return s;
	std::string path = dir + "/it";
	return symlink(device_.c_str(), path.c_str()) ? Status(sys_error(path, "symlink")) : Status();
}

Status Churner::unlink()
{
	if (linked_.empty())
		return idle();
	std::string dir = linked_, path = dir + "/it";
	if (::unlink(path.c_str()))
		return sys_error(path, "unlink");
	return rmdir(dir.c_str()) ? Status(sys_error(dir, "rmdir")) : Status();
}

Status Churner::whole_life(Random &random)
{
	(void)remove(); // what an earlier life left in the middle
	LIO_CHECK(make());
	LIO_CHECK(set_up(random));
	LIO_CHECK(enable());
	if (random() % 2)
		if (Status s = open_handler(); !s && s.code() != idle_code)
			return s;
	LIO_CHECK(remove());
	return remove_hba();
}

} // namespace

void add_device_actors(StressEngine &engine, StressStage &stage)
{
	const std::vector<int> errors = daemon_errors();
	for (unsigned n = 0; n < 2; n++) {
		const std::string digit = std::to_string(n);
		auto c = std::make_shared<Churner>(stage, "user_90" + digit, "churned" + digit);
		auto brief = std::make_shared<Churner>(stage, "user_91" + digit, "brief" + digit);
		engine.add("devices-" + digit, milliseconds(150),
			   {{"dev-mkdir", 4, errors, [c](Random &) { return c->make(); }},
			    {"dev-set-up", 4, errors, [c](Random &r) { return c->set_up(r); }},
			    {"dev-enable", 4, errors, [c](Random &) { return c->enable(); }},
			    {"dev-open", 3, errors, [c](Random &) { return c->open_handler(); }},
			    {"dev-serve", 4, {}, [c](Random &r) { return c->serve(r); }},
			    {"dev-link", 1, errors, [c](Random &r) { return c->link(r); }},
			    {"dev-unlink", 3, errors, [c](Random &) { return c->unlink(); }},
			    {"dev-rmdir", 3, errors, [c](Random &) { return c->remove(); }},
			    {"hba-rmdir", 1, errors, [c](Random &) { return c->remove_hba(); }},
			    {"dev-whole-life", 2, errors, [brief](Random &r) { return brief->whole_life(r); }}});
	}
}

} // namespace lio::test
