// SPDX-License-Identifier: GPL-2.0
#include "differ_runner.hpp"

#include <algorithm>

#include "named_blocks.hpp"

namespace lio::test {

namespace {

constexpr unsigned most_complaints = 30;
constexpr milliseconds command_limit = seconds(30);
/// Batches between two looks at the windows and at all of the medium.
constexpr uint64_t windows_every = 32, all_every = 1024;

Answer answer_of(const ScsiReply &r)
{
	Answer a;
	a.status = uint8_t(r.status);
	a.host = uint8_t(r.host_status);
	a.residual = r.residual;
	if (r.sense) {
		a.flags |= answer_sense;
		a.key = uint8_t(r.sense->key);
		a.asc = r.sense->asc;
		a.ascq = r.sense->ascq;
		if (r.sense->information) {
			a.flags |= answer_information;
			a.information = uint32_t(*r.sense->information);
		}
	}
	return a;
}

} // namespace

DifferRunner::DifferRunner(DifferTarget target, DifferMaker maker, const DifferRules &rules, Progress &progress)
	: target_(std::move(target)), maker_(std::move(maker)), rules_(rules), progress_(progress),
	  model_(maker_.geometry(), target_.cache)
{
}

void DifferRunner::complain(const DifferCommand &c, const std::string &what)
{
	if (++wrong_ <= most_complaints)
		printf("%s: %s\n", c.str().c_str(), what.c_str());
}

Result<Answer> DifferRunner::send(uint64_t index, const DifferCommand &c)
{
	auto data = buffer_.span().first(c.length);
	if (c.direction == Data::Direction::out)
		std::ranges::copy(c.out, data.begin());
	else
		std::ranges::fill(data, uint8_t(0));
	progress_.begin(std::to_string(index));
	auto reply = target_.device.execute(c.cdb, {c.direction, data}, command_limit);
	progress_.end();
	if (reply) {
		Answer a = answer_of(*reply);
		keep_data(c, a);
		return a;
	}
	if (reply.code() != EINVAL && reply.code() != EMSGSIZE)
		return reply.error();
	Answer refused;
	refused.flags = answer_refused;
	refused.residual = reply.code();
	return refused;
}

/// Blocks are told by their hash alone: two that differ say nothing that the CDB does not.
void DifferRunner::keep_data(const DifferCommand &c, Answer &a)
{
	constexpr size_t most_kept = 2048;
	if (!a.good() || c.direction != Data::Direction::in || a.residual < 0 || uint32_t(a.residual) > c.length)
		return;
	auto data = buffer_.span().first(c.length - uint32_t(a.residual));
	a.data = hash_bytes(data);
	if (data.size() <= most_kept && !DifferRules::reads_blocks(c))
		record_.contents.try_emplace(a.data, data.begin(), data.end());
}

void DifferRunner::judge_data(const DifferCommand &c, const Answer &a, const std::vector<uint8_t> &data)
{
	size_t moved = std::min<size_t>(data.size(), c.length);
	if (a.residual != int32_t(c.length - moved))
		complain(c, "residual " + std::to_string(a.residual) + ", expected " + std::to_string(c.length - moved));
	else if (!std::equal(data.begin(), data.begin() + long(moved), buffer_.span().begin()))
		complain(c, "other data than the standard's");
}

void DifferRunner::judge(const DifferCommand &c, const Answer &a, const Expectation &e)
{
	judged_++;
	if (!std::ranges::count(e.answers, a.str()))
		complain(c, a.str() + ", expected " + e.answers.front());
	else if (e.data && a.good())
		judge_data(c, a, *e.data);
}

/// A command whose answer is not to be compared with the other target's.
Status DifferRunner::run_apart(uint64_t index, DifferCommand c, const RouteRule &rule)
{
	bool both = rule.route == Route::model || rule.route == Route::reserved;
	if (!target_.ours && !both)
		return {};
	if (rule.route == Route::model)
		model_.fit(c);
	LIO_TRY(record_.answers[index], send(index, c));
	const Answer &a = record_.answers[index];
	target_.medium.name(c, a.good());
	if (a.flags & answer_refused)
		return {};
	if (target_.ours)
		judge(c, a, rule.route == Route::model ? model_.execute(c, rules_.usage_of(c)) : Expectation{rule.answers, {}});
	else if (rule.route == Route::model)
		judge(c, a, {rule.answers, {}});
	return {};
}

/// After commands that were judged alone: on our target the medium is the model's.
Status DifferRunner::judge_medium()
{
	const DifferGeometry &g = maker_.geometry();
	LIO_TRY(auto changes, target_.medium.take_changes(DifferMedium::Extent::named));
	for (const auto &[chunk, bytes] : changes)
		for (uint64_t i = 0; target_.ours && i < differ_chunk; i++) {
			auto want = model_.block(chunk * differ_chunk + i);
			if (!std::equal(want.begin(), want.end(), bytes.begin() + long(i * g.block_size)))
				return Error{EILSEQ, "block " + std::to_string(chunk * differ_chunk + i), "not the model's:"};
		}
	for (uint64_t lba : model_.changed())
		if (target_.ours && !changes.contains(lba / differ_chunk))
			return Error{EILSEQ, "block " + std::to_string(lba), "not written, which the model says it is:"};
	model_.reset();
	return {};
}

/// By the batch's number alone: what no command names is found after the same one on both targets.
DifferMedium::Extent DifferRunner::extent_after(uint64_t batch) const
{
	using enum DifferMedium::Extent;
	bool last = (batch + 1) * differ_batch >= record_.header.count;
	if (last || batch % all_every == all_every - 1)
		return all;
	return batch % windows_every == windows_every - 1 ? windows : named;
}

Status DifferRunner::run_batch(uint64_t first, uint64_t end)
{
	std::vector<std::pair<uint64_t, DifferCommand>> apart;
	for (uint64_t i = first; i < end; i++) {
		DifferCommand c = maker_.make(i);
		if (rules_.route_of(c)) {
			apart.emplace_back(i, std::move(c));
			continue;
		}
		LIO_TRY(record_.answers[i], send(i, c));
		record_.answers[i].flags |= answer_compared;
		target_.medium.name(c, record_.answers[i].good());
	}
	LIO_TRY(auto changes, target_.medium.take_changes(extent_after(first / differ_batch)));
	for (const auto &[chunk, bytes] : changes)
		record_.chunks.push_back({first / differ_batch, chunk, hash_bytes(bytes)});
	for (auto &[index, command] : apart)
		LIO_CHECK(run_apart(index, command, *rules_.route_of(command)));
	return apart.empty() ? Status() : judge_medium();
}

Status DifferRunner::run(const DifferHeader &header, const std::string &path)
{
	record_.header = header;
	record_.answers.resize(header.count);
	// Unit attentions of a new device.
	LIO_TRY([[maybe_unused]] auto reply, target_.device.execute_past_ua(cdb::test_unit_ready()));
	for (uint64_t first = 0; first < header.count; first += differ_batch)
		if (Status s = run_batch(first, std::min(first + differ_batch, header.count)); !s)
			return Error{s.code(), s.error().path, "in the batch of command " + std::to_string(first) + ": " + s.error().what};
	LIO_TRY(auto left, target_.medium.take_changes(DifferMedium::Extent::all));
	if (!left.empty())
		return Error{EILSEQ, "chunk " + std::to_string(left.begin()->first), "after all commands changed:"};
	return record_.save(path);
}

} // namespace lio::test
