// SPDX-License-Identifier: MIT
/** @file
 * BlockEmulator against arbitrary CDBs and parameter lists. Every command is
 * answered once, with a status and sense data that exist; nothing of the shared
 * memory but a command's own segments is written; and no block changes that
 * was not named by a command that was not refused.
 */
#include <cstring>
#include <map>

#include <tcmu/emulation.hpp>
#include <tcmu/endian.hpp>
#include <tcmu/ring.hpp>

#include "checked_store.hpp"
#include "fake_ring.hpp"
#include "fuzz_input.hpp"
#include "named_blocks.hpp"

namespace tcmu::test {
namespace {

using Bytes = std::vector<uint8_t>;
using fuzz::Input;

constexpr uint32_t depth = 8;
constexpr uint32_t area = 96 << 10;
/** Of the area, for each command of those at a time. */
constexpr uint32_t share = area / depth;

/** A command as it was posted. */
struct Posted {
	Bytes cdb;
	std::vector<iovec> list;
	size_t size = 0;
	Bytes data;
};

class Game {
	Input in_;
	uint32_t block_size_;
	uint64_t blocks_;
	FakeRing fake_{16384, area};
	std::unique_ptr<Ring> ring_;
	std::unique_ptr<BlockEmulator> emulator_;
	CheckedStore *store_ = nullptr;
	std::mt19937 order_;
	/** The medium and the shared data as they must be. */
	Bytes medium_, data_;
	std::map<uint16_t, Posted> posted_;
	std::vector<BlockRange> named_;
	uint16_t next_id_ = 0;
	/** One command at a time: what it read and wrote is known exactly. */
	bool alone_;

public:
	explicit Game(Input in) : in_(in)
	{
		uint8_t how = in_.byte(), what = in_.byte();
		block_size_ = how & 1 ? 4096 : 512;
		/* Large: so that a pass over it takes several buffers. */
		blocks_ = (what >= 0xf0 ? 640 << 10 : 32 << 10) / block_size_;
		alone_ = !(how & 4);
		BlockDeviceConfig config;
		config.block_size = block_size_;
		config.blocks = blocks_;
		config.write_cache = how & 8;
		config.max_transfer_blocks = how & 16 ? 24 : 0;
		config.identity.serial = how & 32 ? "12-ab-CD" : "";
		config.name = "user_0/fuzz";
		uint32_t alignments[] = {1, 1, 512, 4096};
		auto owned = std::make_unique<CheckedStore>(alignments[what & 3], block_size_);
		store_ = owned.get();
		store_->late = !alone_;
		store_->change_traits().discards = !(what & 4);
		store_->change_traits().read_only = (what & 0x38) == 0x38;
		ring_ = std::move(*Ring::attach(fake_.bytes(), {.depth = depth}));
		emulator_ = std::move(*BlockEmulator::create(config, std::move(owned), depth));
		medium_ = first_contents(store_->bytes().size());
		store_->bytes() = medium_;
		std::memset(fake_.data(), 0xa5, area);
		data_.assign(fake_.data(), fake_.data() + area);
	}

	void play()
	{
		for (unsigned n = 0; n < 40 && !in_.empty(); n++) {
			uint8_t b = in_.byte();
			if (b >= 248)
				fail_next(b);
			else if (b >= 244 && posted_.empty())
				resize();
			else if (b >= 200 && !alone_)
				finish_some(b % 4u + 1);
			else if (posted_.size() < depth)
				post();
		}
		/* What found no room in the ring's tables starts when others have ended. */
		do
			finish_some(SIZE_MAX);
		while (store_->waits());
		FUZZ_CHECK(posted_.empty());
		FUZZ_CHECK(ring_->in_flight() == 0);
	}

private:
	static Bytes first_contents(size_t size)
	{
		static const Bytes contents = [] {
			Bytes made(640 << 10);
			for (size_t i = 0; i < made.size(); i++)
				made[i] = static_cast<uint8_t>(i / 512 * 3 + i % 7);
			return made;
		}();
		return {contents.begin(), contents.begin() + static_cast<long>(size)};
	}

	void fail_next(uint8_t how)
	{
		static constexpr int errors[] = {EIO, ENOSPC, ENOMEM, EROFS, ENODEV, EINVAL, EILSEQ, 0};
		store_->error = errors[how % 8];
		store_->error_kind = static_cast<StoreRequest::Kind>(in_.byte() % 5);
	}

	void resize()
	{
		blocks_ = 1 + in_.byte() % 160;
		FUZZ_CHECK(emulator_->reconfigure({.size = blocks_ * block_size_}));
		medium_.resize(blocks_ * block_size_);
		FUZZ_CHECK(medium_.size() == store_->bytes().size());
	}

	/** Raw bytes, of which the fields that say where may be made to fit. */
	Bytes make_cdb(uint8_t how)
	{
		static constexpr uint8_t known[] = {0x0a, 0x2a, 0x8a, 0xaa, 0x08, 0x28, 0x88, 0xa8, 0x2e, 0x8e, 0x2f,
						    0x8f, 0x41, 0x93, 0x42, 0x89, 0x7f, 0x7f, 0x9e, 0xa3, 0x12, 0x1a,
						    0x5a, 0x15, 0x55, 0x35, 0x91, 0x25, 0x03, 0x1b, 0xae, 0xaf};
		static constexpr uint8_t lengths[] = {6, 10, 10, 32, 16, 12, 16, 16};
		uint8_t code = how & 1 ? known[in_.byte() % std::size(known)] : in_.byte();
		size_t length = lengths[code >> 5];
		if (code >> 5 == 3 && code < 0x7e)
			length = 16;
		Bytes cdb(length);
		cdb[0] = code;
		auto raw = in_.bytes(how & 2 ? 1 : length - 1);
		std::copy(raw.begin(), raw.end(), cdb.begin() + 1);
		if (code >= 0x7e)
			make_variable(cdb, how);
		BlockFields f = block_fields(cdb);
		if (how & 4)
			put_be(&cdb[f.lba_at], in_.byte() % (blocks_ + 2), f.lba_width);
		if (how & 8)
			put_be(&cdb[f.count_at], in_.byte() % 40, f.count_width);
		return cdb;
	}

	void make_variable(Bytes &cdb, uint8_t how)
	{
		if (!(how & 16)) {
			cdb[7] = 24;
			put_be(&cdb[8], in_.byte() % 16, 2);
			cdb[10] &= 0x18;
		}
		cdb.resize(8u + cdb[7]);
	}

	/** A buffer of the length that the CDB asks for, or of any other. */
	size_t make_size(const Bytes &cdb, uint8_t how)
	{
		uint64_t wanted = cdb_range(cdb).count * block_size_;
		if (how & 32)
			wanted = in_.half();
		else if (cdb[0] == 0x89)
			wanted *= 2;
		else if (cdb[0] == 0x41 || cdb[0] == 0x93)
			wanted = block_size_;
		return std::min<uint64_t>(wanted, share - 64);
	}

	/** Pieces with gaps between them in the command's share of the area. */
	void make_list(Posted &p, uint64_t at, uint8_t how)
	{
		uint64_t end = at + share;
		size_t left = p.size;
		if (how & 64)
			at += in_.byte() % 32;
		while (left) {
			size_t piece = left;
			uint64_t room = end - at;
			if (how & 128 && room > left + 64)
				piece = std::min<size_t>(left, 1 + in_.half() % 3000);
			p.list.push_back({reinterpret_cast<void *>(fake_.data_offset(at)), piece});
			at += piece + (room > left + 64 ? in_.byte() % 16 : 0);
			left -= piece;
			if (p.list.size() == 24)
				how &= 127;
		}
	}

	/** What the initiator sends: the medium's contents, a few bytes again and again, or a list. */
	void make_data(Posted &p)
	{
		uint8_t how = in_.byte();
		p.data.resize(p.size);
		auto raw = in_.bytes(how % 48u);
		if (how >= 192) {
			uint64_t at = std::min<uint64_t>(cdb_range(p.cdb).first, blocks_) * block_size_;
			for (size_t i = 0; i < p.size && at + i < medium_.size(); i++)
				p.data[i] = medium_[at + i];
		}
		for (size_t i = 0; !raw.empty() && i < p.size; i++)
			if (how < 96 || i < raw.size())
				p.data[i] = raw[i % raw.size()];
		if (p.cdb[0] == 0x42 && how & 1 && p.size >= 8)
			put_be(&p.data[2], p.size - 8, 2);
	}

	void post()
	{
		Posted p;
		uint8_t how = in_.byte(), shape = in_.byte();
		p.cdb = make_cdb(how);
		p.size = make_size(p.cdb, shape);
		uint16_t id = next_id_;
		while (posted_.contains(id))
			id = (id + 1) % depth;
		next_id_ = (id + 1) % depth;
		make_list(p, uint64_t{id} * share, shape);
		make_data(p);
		size_t done = 0;
		for (const iovec &part : p.list) {
			size_t at = reinterpret_cast<uint64_t>(part.iov_base) - fake_.data_offset(0);
			std::memcpy(fake_.data(at), p.data.data() + done, part.iov_len);
			done += part.iov_len;
		}
		fake_.post(id, p.cdb, p.list);
		std::ranges::copy(named_blocks(p.cdb, p.data, blocks_), std::back_inserter(named_));
		std::memcpy(&data_[uint64_t{id} * share], fake_.data(uint64_t{id} * share), share);
		posted_.emplace(id, std::move(p));
		serve();
	}

	void serve()
	{
		for (;;) {
			Fetched found = ring_->fetch();
			FUZZ_CHECK(found.kind != Fetched::Kind::broken);
			if (found.kind != Fetched::Kind::command)
				break;
			emulator_->submit(*found.command);
		}
		take_answers();
	}

	void finish_some(size_t n)
	{
		while (n-- && store_->finish_one(order_))
			;
		serve();
	}

	void take_answers()
	{
		bool other_changes = !alone_;
		ring_->publish();
		for (const FakeRing::Answer &answer : fake_.collect()) {
			auto at = posted_.find(answer.id);
			FUZZ_CHECK(at != posted_.end());
			Posted p = std::move(at->second);
			posted_.erase(at);
			judge(p, answer);
		}
		if (alone_)
			FUZZ_CHECK(posted_.empty());
		if (posted_.empty() || !other_changes)
			judge_medium();
	}

	void judge(const Posted &p, const FakeRing::Answer &answer)
	{
		FUZZ_CHECK(answer.status == 0 || answer.status == 2 || answer.status == 8);
		if (answer.uflags & abi::uflag_read_length)
			FUZZ_CHECK(answer.read_length <= p.size);
		FUZZ_CHECK(!(answer.uflags & ~abi::uflag_read_length));
		bool refused = answer.status == 2 && judge_sense(answer.sense);
		Bytes now = settle_data(p);
		if (!alone_)
			return;
		if (refused)
			named_.clear();
		if (answer.status == 0)
			judge_good(p, now);
	}

	/** Whether the command was refused, so that it must not have changed anything. */
	static bool judge_sense(const Bytes &bytes)
	{
		static constexpr uint8_t keys[] = {0x2, 0x3, 0x4, 0x5, 0x7, 0xb, 0xe};
		static constexpr uint8_t illegal_request = 5;
		uint8_t key = bytes[2] & 0xf;
		FUZZ_CHECK((bytes[0] & 0x7f) == 0x70);
		FUZZ_CHECK(std::ranges::count(keys, key) && bytes[2] < 0x10);
		FUZZ_CHECK(bytes[7] == 10);
		FUZZ_CHECK(bytes[12] || bytes[13]);
		return key == illegal_request;
	}

	/** The command's segments as they are now; all the rest must be as it was. */
	Bytes settle_data(const Posted &p)
	{
		Bytes now;
		for (const iovec &part : p.list) {
			size_t at = reinterpret_cast<uint64_t>(part.iov_base) - fake_.data_offset(0);
			now.insert(now.end(), fake_.data(at), fake_.data(at) + part.iov_len);
			std::memcpy(&data_[at], fake_.data(at), part.iov_len);
		}
		/* Others of those under way may have their data by now. */
		if (alone_ || posted_.empty())
			FUZZ_CHECK(std::memcmp(data_.data(), fake_.data(), area) == 0);
		return now;
	}

	bool is_one_of(const Bytes &cdb, uint8_t code, uint16_t action_32) const
	{
		if (cdb[0] == 0x7f)
			return service_action(cdb) == action_32;
		return (cdb[0] & 0x1f) == code && cdb[0] >> 5 != 2 && cdb[0] < 0xc0;
	}

	/** READ gave what is on the medium, WRITE put there what was sent. */
	void judge_good(const Posted &p, const Bytes &now)
	{
		BlockRange range = cdb_range(p.cdb);
		bool reads = is_one_of(p.cdb, 0x08, 0x09), writes = is_one_of(p.cdb, 0x0a, 0x0b);
		if (!reads && !writes)
			return;
		FUZZ_CHECK(range.first <= blocks_ && range.count <= blocks_ - range.first);
		uint64_t at = range.first * block_size_, length = range.count * block_size_;
		if (reads) {
			size_t got = std::min<uint64_t>(length, p.size);
			FUZZ_CHECK(std::equal(now.begin(), now.begin() + got, medium_.begin() + at));
			FUZZ_CHECK(std::all_of(now.begin() + got, now.end(), [](uint8_t b) { return b == 0; }));
		} else {
			FUZZ_CHECK(p.size >= length);
			FUZZ_CHECK(std::equal(p.data.begin(), p.data.begin() + length, store_->bytes().begin() + at));
		}
	}

	/** Only what was named may differ, and is believed from now on. */
	void judge_medium()
	{
		if (!store_->traits().read_only)
			for (const BlockRange &r : named_)
				std::memcpy(medium_.data() + r.first * block_size_,
					    store_->bytes().data() + r.first * block_size_, r.count * block_size_);
		FUZZ_CHECK(medium_ == store_->bytes());
		named_.clear();
	}
};

} // namespace
} // namespace tcmu::test

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	tcmu::set_log_level(tcmu::LogLevel::error);
	tcmu::test::Game(fuzz::Input(data, size)).play();
	return 0;
}
