// SPDX-License-Identifier: GPL-2.0
#include "scripted_handler.hpp"

#include <cstring>
#include <future>

#include <fcntl.h>
#include <linux/bsg.h>
#include <poll.h>
#include <scsi/sg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace lio::test {

namespace {

/// Length of a CDB by its first bytes (SPC-5 4.2.5.1).
size_t cdb_length(const uint8_t *cdb)
{
	switch (cdb[0] >> 5) {
	case 0:
		return 6;
	case 3:
		return cdb[0] == 0x7f ? size_t(8) + cdb[7] : 0;
	case 4:
		return 16;
	case 5:
		return 12;
	default:
		return 10;
	}
}

/// Standard INQUIRY data of a processor device that claims no VPD pages.
std::vector<uint8_t> inquiry_data()
{
	std::vector<uint8_t> d(36, ' ');
	const uint8_t head[8] = {0x03, 0, 0x02, 0x02, 31, 0, 0, 0x02};
	std::copy(std::begin(head), std::end(head), d.begin());
	memcpy(&d[8], "LIO-TESTscripted handler1", 25);
	return d;
}

// The structures are packed, but their words lie aligned.
uint32_t load_acquire(const void *word)
{
	return __atomic_load_n(static_cast<const uint32_t *>(word), __ATOMIC_ACQUIRE);
}

} // namespace

uint64_t RingEntry::data_len() const
{
	uint64_t sum = 0;
	for (const auto &v : iov)
		sum += v.iov_len;
	return sum;
}

std::vector<uint8_t> fixed_sense(SenseKey key, uint8_t asc, uint8_t ascq)
{
	std::vector<uint8_t> s(18);
	s[0] = 0x70;
	s[2] = uint8_t(key);
	s[7] = 10;
	s[12] = asc;
	s[13] = ascq;
	return s;
}

Result<ScriptedHandler> ScriptedHandler::open(const std::string &backstore_name)
{
	LIO_TRY(std::string node, uio_node(backstore_name));
	return open_node(node);
}

Result<ScriptedHandler> ScriptedHandler::open_node(const std::string &node)
{
	std::string sysfs = "/sys/class/uio/" + node.substr(node.rfind('/') + 1);
	LIO_TRY(uint64_t size, read_number(sysfs + "/maps/map0/size"));
	Fd fd;
	// The node may be younger than devtmpfs.
	LIO_CHECK(wait_until(Deadline(seconds(5)), node, [&] { return exists(node); }));
	LIO_TRY(fd, open_fd(node, O_RDWR | O_NONBLOCK | O_CLOEXEC));
	void *map = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
	if (map == MAP_FAILED)
		return sys_error(node, "mmap of");
	ScriptedHandler h(node, std::move(fd), static_cast<uint8_t *>(map), size);
	h.restart();
	return h;
}

ScriptedHandler::ScriptedHandler(ScriptedHandler &&o) noexcept
	: node_(std::move(o.node_)), fd_(std::move(o.fd_)), map_(std::exchange(o.map_, nullptr)), size_(o.size_),
	  next_(o.next_), held_(std::move(o.held_)), pads_(o.pads_), postponed_(std::move(o.postponed_))
{
}

ScriptedHandler &ScriptedHandler::operator=(ScriptedHandler &&o) noexcept
{
	if (this == &o)
		return *this;
	this->~ScriptedHandler();
	return *new (this) ScriptedHandler(std::move(o));
}

void ScriptedHandler::unmap()
{
	if (map_)
		munmap(map_, size_);
	map_ = nullptr;
}

void ScriptedHandler::close()
{
	unmap();
	fd_.reset();
}

void ScriptedHandler::restart()
{
	next_ = mailbox().cmd_tail;
	held_.clear();
	postponed_.clear();
}

uint32_t ScriptedHandler::head() const
{
	return load_acquire(map_ + offsetof(tcmu_mailbox, cmd_head));
}

void ScriptedHandler::set_tail(uint32_t tail) const
{
	auto *word = reinterpret_cast<uint32_t *>(map_ + offsetof(tcmu_mailbox, cmd_tail));
	__atomic_store_n(word, tail, __ATOMIC_RELEASE);
}

tcmu_cmd_entry *ScriptedHandler::entry_at(uint32_t pos) const
{
	return reinterpret_cast<tcmu_cmd_entry *>(map_ + mailbox().cmdr_off + pos);
}

RingEntry ScriptedHandler::copy_entry(uint32_t pos) const
{
	const tcmu_cmd_entry *e = entry_at(pos);
	RingEntry r;
	r.pos = pos;
	r.op = tcmu_hdr_get_op(e->hdr.len_op);
	r.len = tcmu_hdr_get_len(e->hdr.len_op);
	r.id = e->hdr.cmd_id;
	r.kflags = e->hdr.kflags;
	r.uflags = e->hdr.uflags;
	if (r.op == TCMU_OP_CMD) {
		auto *iov = reinterpret_cast<const iovec *>(map_ + mailbox().cmdr_off + pos +
							    offsetof(tcmu_cmd_entry, req.iov));
		r.iov.assign(iov, iov + e->req.iov_cnt);
		r.bidi.assign(iov + e->req.iov_cnt, iov + e->req.iov_cnt + e->req.iov_bidi_cnt);
		r.dif_cnt = e->req.iov_dif_cnt;
		r.cdb_off = e->req.cdb_off;
		const uint8_t *cdb = map_ + r.cdb_off;
		r.cdb.assign(cdb, cdb + cdb_length(cdb));
	} else if (r.op == TCMU_OP_TMR) {
		auto *t = reinterpret_cast<const tcmu_tmr_entry *>(e);
		r.tmr_type = t->tmr_type;
		for (uint32_t i = 0; i < t->cmd_cnt; i++)
			r.tmr_ids.push_back(t->cmd_ids[i]);
	}
	return r;
}

Result<RingEntry> ScriptedHandler::fetch(milliseconds limit)
{
	Deadline deadline(limit);
	for (;;) {
		while (head() != next_) {
			RingEntry e = copy_entry(next_);
			if (!e.len || e.len % 8 || e.len > mailbox().cmdr_size - next_)
				return Error{EPROTO, node_, "entry of " + std::to_string(e.len) + " bytes in the ring of"};
			next_ = (next_ + e.len) % mailbox().cmdr_size;
			held_.push_back(e);
			if (e.op != TCMU_OP_PAD)
				return e;
			pads_++;
		}
		pollfd p = {fd_.get(), POLLIN, 0};
		int n = poll(&p, 1, static_cast<int>(deadline.left().count()));
		uint32_t events;
		if (n > 0 && read(fd_.get(), &events, sizeof(events)) < 0)
			return sys_error(node_, "read the doorbell of");
		if (n <= 0 && head() == next_)
			return Error{ETIMEDOUT, node_, "waiting for an entry of"};
	}
}

bool ScriptedHandler::is_housekeeping(const RingEntry &entry) const
{
	return entry.op == TCMU_OP_CMD && (entry.opcode() == 0x12 || entry.opcode() == 0x00 || entry.opcode() == 0x03);
}

/// What the command returns, or nothing if it is refused.
std::optional<std::vector<uint8_t>> ScriptedHandler::house_data(const RingEntry &entry) const
{
	switch (entry.opcode()) {
	case 0x03: // REQUEST SENSE
		return fixed_sense(SenseKey::no_sense, 0, 0);
	case 0x12: // INQUIRY
		if (entry.cdb[1] & 1)
			return std::nullopt;
		return inquiry_data();
	default: // TEST UNIT READY
		return std::vector<uint8_t>();
	}
}

Status ScriptedHandler::keep_house(const RingEntry &entry)
{
	auto data = house_data(entry);
	if (!data)
		return finish(entry, {0x02, fixed_sense(SenseKey::illegal_request, 0x24, 0)});
	data->resize(entry.data_len());
	scatter(entry.iov, *data);
	return finish(entry);
}

Result<RingEntry> ScriptedHandler::next(milliseconds limit)
{
	if (!postponed_.empty()) {
		RingEntry e = postponed_.front();
		postponed_.pop_front();
		return e;
	}
	for (Deadline deadline(limit);;) {
		LIO_TRY(RingEntry e, fetch(deadline.left()));
		if (!is_housekeeping(e))
			return e;
		LIO_CHECK(keep_house(e));
	}
}

Status ScriptedHandler::serve_for(milliseconds limit)
{
	for (Deadline deadline(limit);;) {
		auto e = fetch(deadline.left());
		if (!e)
			return e.code() == ETIMEDOUT ? Status() : Status(e.error());
		if (is_housekeeping(*e))
			LIO_CHECK(keep_house(*e));
		else
			postponed_.push_back(*e);
	}
}

void ScriptedHandler::pass_oldest()
{
	const RingEntry &oldest = held_.front();
	uint32_t tail = (oldest.pos + oldest.len) % mailbox().cmdr_size;
	held_.pop_front();
	set_tail(tail);
}

void ScriptedHandler::pass_notices()
{
	while (!held_.empty() && held_.front().op != TCMU_OP_CMD)
		pass_oldest();
}

void ScriptedHandler::answer_as(uint16_t id, const RingAnswer &answer)
{
	pass_notices();
	if (held_.empty())
		return;
	tcmu_cmd_entry *e = entry_at(held_.front().pos);
	memset(&e->rsp, 0, sizeof(e->rsp));
	e->hdr.cmd_id = id;
	e->hdr.uflags = answer.uflags;
	e->rsp.scsi_status = answer.status;
	e->rsp.read_len = answer.read_len;
	memcpy(e->rsp.sense_buffer, answer.sense.data(),
	       std::min<size_t>(answer.sense.size(), TCMU_SENSE_BUFFERSIZE));
	pass_oldest();
	pass_notices();
}

void ScriptedHandler::answer(const RingEntry &entry, const RingAnswer &answer)
{
	answer_as(entry.id, answer);
}

Status ScriptedHandler::kick()
{
	int32_t any = 0;
	if (write(fd_.get(), &any, sizeof(any)) != sizeof(any))
		return sys_error(node_, "ring the doorbell of");
	return {};
}

std::optional<std::vector<uint8_t>> ScriptedHandler::gather(const std::vector<iovec> &iov) const
{
	std::vector<uint8_t> data;
	for (const auto &v : iov) {
		auto off = reinterpret_cast<uintptr_t>(v.iov_base);
		if (off < mailbox().cmdr_off + mailbox().cmdr_size || off > size_ || v.iov_len > size_ - off)
			return std::nullopt;
		data.insert(data.end(), map_ + off, map_ + off + v.iov_len);
	}
	return data;
}

bool ScriptedHandler::scatter(const std::vector<iovec> &iov, std::span<const uint8_t> data) const
{
	for (const auto &v : iov) {
		auto off = reinterpret_cast<uintptr_t>(v.iov_base);
		if (off < mailbox().cmdr_off + mailbox().cmdr_size || off > size_ || v.iov_len > size_ - off)
			return false;
		size_t n = std::min(v.iov_len, data.size());
		memcpy(map_ + off, data.data(), n);
		data = data.subspan(n);
	}
	return data.empty();
}

BackstoreSpec ring_backstore(const RingSpec &spec)
{
	BackstoreSpec b = user_spec(spec.name, "scripted/" + spec.name, spec.bytes);
	b.control.insert(b.control.end(), spec.control.begin(), spec.control.end());
	b.attribs = spec.attribs;
	return b;
}

Result<RingLun> RingLun::create(const RingSpec &spec)
{
	LIO_TRY(Backstore b, Backstore::create(ring_backstore(spec)));
	LIO_TRY(LoopTarget t, LoopTarget::create());
	LIO_TRY(ScriptedHandler h, ScriptedHandler::open(spec.name));
	RingLun r(std::move(b), std::move(t), std::move(h));
	LIO_CHECK(r.attach());
	return r;
}

Status RingLun::attach()
{
	// The scan waits in symlink(2) for the handler's answers.
	auto added = std::async(std::launch::async, [this]() -> Status {
		LIO_TRY(LoopLun l, target.add_lun(0, backstore));
		LIO_TRY(sg, l.sg_node());
		lun = std::move(l);
		return {};
	});
	Deadline deadline(seconds(30));
	while (added.wait_for(seconds(0)) != std::future_status::ready && !deadline.passed())
		LIO_CHECK(handler->serve_for(milliseconds(5)));
	return added.get();
}

Status RingLun::detach()
{
	queues_.clear();
	sent_.clear();
	LIO_CHECK(lun->destroy());
	lun.reset();
	return {};
}

Result<int> RingLun::send(const Cdb &cdb, Data data, milliseconds timeout)
{
	size_t q = 0;
	while (q < queues_.size() && queues_[q].in_flight() >= 16) // all that sg takes per open file
		q++;
	if (q == queues_.size()) {
		LIO_TRY(SgQueue queue, SgQueue::open(sg));
		queues_.push_back(std::move(queue));
	}
	LIO_TRY(int id, queues_[q].submit(cdb, data, timeout));
	sent_[++last_] = {q, id};
	return last_;
}

Result<ScsiReply> RingLun::execute_mapped(const Cdb &cdb, Data data, milliseconds timeout) const
{
	LIO_TRY(std::string address, lun->scsi_address());
	LIO_TRY(Fd fd, open_fd("/dev/bsg/" + address, O_RDWR));
	uint8_t sense[252] = {};
	sg_io_v4 io = {};
	bool out = data.direction == Data::Direction::out;
	io.guard = 'Q';
	io.request_len = uint32_t(cdb.size());
	io.request = reinterpret_cast<uintptr_t>(cdb.data());
	io.response = reinterpret_cast<uintptr_t>(sense);
	io.max_response_len = sizeof(sense);
	(out ? io.dout_xfer_len : io.din_xfer_len) = uint32_t(data.buffer.size());
	(out ? io.dout_xferp : io.din_xferp) = reinterpret_cast<uintptr_t>(data.buffer.data());
	io.timeout = uint32_t(timeout.count());
	if (ioctl(fd.get(), SG_IO, &io) < 0)
		return sys_error("/dev/bsg/" + address, "SG_IO of " + std::to_string(data.buffer.size()) + " bytes to");
	ScsiReply r;
	r.status = ScsiStatus(io.device_status);
	r.host_status = uint16_t(io.transport_status);
	r.residual = out ? io.dout_resid : io.din_resid;
	r.raw_sense.assign(sense, sense + io.response_len);
	r.sense = decode_sense(r.raw_sense);
	return r;
}

Status RingLun::poll_replies()
{
	for (size_t q = 0; q < queues_.size(); q++) {
		while (queues_[q].in_flight()) {
			auto done = queues_[q].reap(milliseconds(0));
			if (done.code() == ETIMEDOUT)
				break;
			if (!done)
				return done.error();
			for (const auto &[id, sent] : sent_)
				if (sent.queue == q && sent.id == done->id)
					replies_[id] = done->reply;
		}
	}
	return {};
}

Result<ScsiReply> RingLun::reap(int id, milliseconds limit)
{
	for (Deadline deadline(limit);;) {
		LIO_CHECK(poll_replies());
		if (auto found = replies_.find(id); found != replies_.end()) {
			ScsiReply r = found->second;
			replies_.erase(found);
			sent_.erase(id);
			return r;
		}
		if (deadline.passed())
			return Error{ETIMEDOUT, sg, "reply to command " + std::to_string(id) + " from"};
		if (handler && handler->map())
			LIO_CHECK(handler->serve_for(milliseconds(2)));
		else
			std::this_thread::sleep_for(milliseconds(2));
	}
}

bool RingLun::ends(int id, milliseconds limit)
{
	for (Deadline deadline(limit); !replies_.contains(id);) {
		if (!poll_replies() || deadline.passed())
			return replies_.contains(id);
		std::this_thread::sleep_for(milliseconds(5));
	}
	return true;
}

} // namespace lio::test
