// SPDX-License-Identifier: GPL-2.0
#include "sg.hpp"

#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <scsi/sg.h>
#include <sys/ioctl.h>
#include <unistd.h>

#ifndef SG_SCSI_RESET_TARGET
#define SG_SCSI_RESET_TARGET 4
#endif
#ifndef SG_SCSI_RESET_NO_ESCALATE
#define SG_SCSI_RESET_NO_ESCALATE 0x100
#endif

namespace lio::test {

namespace {

using SenseBuffer = std::array<uint8_t, 252>;

int sg_direction(Data::Direction d)
{
	switch (d) {
	case Data::Direction::in:
		return SG_DXFER_FROM_DEV;
	case Data::Direction::out:
		return SG_DXFER_TO_DEV;
	case Data::Direction::both:
		return SG_DXFER_TO_FROM_DEV;
	case Data::Direction::none:
		break;
	}
	return SG_DXFER_NONE;
}

sg_io_hdr make_header(const Cdb &cdb, const Data &data, uint8_t *sense, milliseconds timeout)
{
	sg_io_hdr h = {};
	h.interface_id = 'S';
	h.dxfer_direction = sg_direction(data.direction);
	h.cmd_len = static_cast<unsigned char>(cdb.size());
	h.mx_sb_len = sizeof(SenseBuffer);
	h.dxfer_len = static_cast<unsigned>(data.buffer.size());
	h.dxferp = data.buffer.data();
	h.cmdp = const_cast<unsigned char *>(cdb.data());
	h.sbp = sense;
	h.timeout = static_cast<unsigned>(timeout.count());
	return h;
}

ScsiReply make_reply(const sg_io_hdr &h, const uint8_t *sense)
{
	ScsiReply r;
	r.status = ScsiStatus(h.status & 0x7e);
	r.host_status = h.host_status;
	r.driver_status = h.driver_status;
	r.residual = h.resid;
	r.duration_ms = h.duration;
	r.raw_sense.assign(sense, sense + h.sb_len_wr);
	r.sense = decode_sense(r.raw_sense);
	return r;
}

} // namespace

std::string ScsiReply::str() const
{
	char buf[120];
	snprintf(buf, sizeof(buf), "status %02x host %02x driver %02x residual %d", unsigned(status),
		 host_status, driver_status, residual);
	return buf + (sense ? " " + sense->str() : std::string());
}

std::ostream &operator<<(std::ostream &os, const ScsiReply &r)
{
	return os << r.str();
}

Result<SgDevice> SgDevice::open(const std::string &path, int flags)
{
	LIO_TRY(Fd fd, open_fd(path, flags | O_NONBLOCK));
	// sg honours O_NONBLOCK in open only for O_EXCL; SG_IO itself must block.
	fcntl(fd.get(), F_SETFL, flags);
	return SgDevice(std::move(fd), path);
}

Result<ScsiReply> SgDevice::execute(const Cdb &cdb, Data data, milliseconds timeout)
{
	SenseBuffer sense = {};
	sg_io_hdr h = make_header(cdb, data, sense.data(), timeout);
	if (ioctl(fd_.get(), SG_IO, &h) < 0)
		return sys_error(path_, "SG_IO [" + cdb.hex() + "] to");
	return make_reply(h, sense.data());
}

Result<ScsiReply> SgDevice::execute_past_ua(const Cdb &cdb, Data data, milliseconds timeout)
{
	for (int tries = 0;; tries++) {
		LIO_TRY(ScsiReply r, execute(cdb, data, timeout));
		if (!r.sense || r.sense->key != SenseKey::unit_attention || tries == 8)
			return r;
	}
}

Status SgDevice::execute_good(const Cdb &cdb, Data data, milliseconds timeout)
{
	LIO_TRY(ScsiReply r, execute(cdb, data, timeout));
	if (!r.good())
		return Error{EIO, path_, "[" + cdb.hex() + "]: " + r.str() + " from"};
	return {};
}

Result<std::vector<uint8_t>> SgDevice::fetch(const Cdb &cdb, size_t alloc)
{
	std::vector<uint8_t> buf(alloc);
	LIO_TRY(ScsiReply r, execute_past_ua(cdb, Data::in(buf)));
	if (!r.good())
		return Error{EIO, path_, "[" + cdb.hex() + "]: " + r.str() + " from"};
	if (r.residual < 0 || size_t(r.residual) > alloc)
		return Error{EPROTO, path_, "residual " + std::to_string(r.residual) + " from"};
	buf.resize(alloc - static_cast<size_t>(r.residual));
	return buf;
}

Status SgDevice::reset(Reset what, bool escalate)
{
	int op = static_cast<int>(what) | (escalate ? 0 : SG_SCSI_RESET_NO_ESCALATE);
	if (ioctl(fd_.get(), SG_SCSI_RESET, &op) < 0)
		return sys_error(path_, "SG_SCSI_RESET " + std::to_string(op) + " of");
	return {};
}

Result<SgQueue> SgQueue::open(const std::string &path)
{
	LIO_TRY(Fd fd, open_fd(path, O_RDWR | O_NONBLOCK));
	int one = 1;
	if (ioctl(fd.get(), SG_SET_COMMAND_Q, &one) < 0)
		return sys_error(path, "SG_SET_COMMAND_Q on");
	return SgQueue(std::move(fd), path);
}

Result<int> SgQueue::submit(const Cdb &cdb, Data data, milliseconds timeout)
{
	int id = next_id_++;
	auto &sense = buffers_[id];
	sense.resize(sizeof(SenseBuffer));
	sg_io_hdr h = make_header(cdb, data, sense.data(), timeout);
	h.pack_id = id;
	if (write(fd_.get(), &h, sizeof(h)) != static_cast<ssize_t>(sizeof(h))) {
		buffers_.erase(id);
		return sys_error(path_, "send [" + cdb.hex() + "] to");
	}
	data_[id] = data;
	return id;
}

Result<SgQueue::Done> SgQueue::reap(milliseconds limit)
{
	pollfd p = {fd_.get(), POLLIN, 0};
	if (poll(&p, 1, static_cast<int>(limit.count())) < 0)
		return sys_error(path_, "poll");
	sg_io_hdr h = {};
	h.interface_id = 'S';
	if (read(fd_.get(), &h, sizeof(h)) < 0) {
		if (errno == EAGAIN)
			errno = ETIMEDOUT;
		return sys_error(path_, "a reply from");
	}
	auto sense = buffers_.extract(h.pack_id);
	data_.erase(h.pack_id);
	if (sense.empty())
		return Error{EPROTO, path_, "reply with unknown id " + std::to_string(h.pack_id) + " from"};
	return Done{h.pack_id, make_reply(h, sense.mapped().data())};
}

Result<Capacity> read_capacity(SgDevice &dev)
{
	LIO_TRY(std::vector<uint8_t> b, dev.fetch(cdb::read_capacity16(), 32));
	if (b.size() < 12)
		return Error{EPROTO, dev.path(), "short READ CAPACITY (16) data from"};
	std::span<const uint8_t> s(b);
	return Capacity{get_be(s.subspan(0, 8)) + 1, static_cast<uint32_t>(get_be(s.subspan(8, 4)))};
}

} // namespace lio::test
