// SPDX-License-Identifier: GPL-2.0
#include "differ_record.hpp"

#include <cstring>

#include "file.hpp"
#include "pattern.hpp"

namespace lio::test {

namespace {

template <class T> void put(std::string &to, const T &value)
{
	static_assert(std::is_trivially_copyable_v<T>);
	to.append(reinterpret_cast<const char *>(&value), sizeof(value));
}

template <class T> void put_all(std::string &to, std::span<const T> values)
{
	put(to, uint64_t(values.size()));
	if (!values.empty())
		to.append(reinterpret_cast<const char *>(values.data()), values.size_bytes());
}

/// Takes values from a file's contents; after its end all are zero, and it says so.
class Taker {
	std::string_view from_;
	bool short_ = false;

public:
	explicit Taker(std::string_view from) : from_(from) {}
	template <class T> T take()
	{
		T value{};
		take_into(&value, sizeof(value));
		return value;
	}
	template <class T> std::vector<T> take_all()
	{
		auto n = take<uint64_t>();
		if (n > from_.size() / sizeof(T)) {
			short_ = true;
			return {};
		}
		std::vector<T> values(n);
		take_into(values.data(), n * sizeof(T));
		return values;
	}
	bool complete() const { return !short_ && from_.empty(); }

private:
	void take_into(void *to, size_t len)
	{
		if (len > from_.size()) {
			short_ = true;
			return;
		}
		if (len)
			memcpy(to, from_.data(), len);
		from_.remove_prefix(len);
	}
};

} // namespace

std::string Answer::str() const
{
	static const std::map<uint8_t, const char *> names = {
		{0x00, "GOOD"}, {0x02, "CHECK CONDITION"}, {0x04, "CONDITION MET"}, {0x08, "BUSY"},
		{0x18, "RESERVATION CONFLICT"}, {0x28, "TASK SET FULL"}, {0x40, "TASK ABORTED"}};
	char buf[48];
	if (flags & answer_refused)
		return "errno " + std::to_string(residual);
	if (flags & answer_sense) {
		snprintf(buf, sizeof(buf), "%x/%02x/%02x", key, asc, ascq);
		std::string s = buf;
		return status == 0x02 ? s : s + " with status " + std::to_string(status);
	}
	auto name = names.find(status);
	std::string s = name == names.end() ? "status " + std::to_string(status) : name->second;
	return host ? s + ", host " + std::to_string(host) : s;
}

uint64_t hash_bytes(std::span<const uint8_t> bytes)
{
	uint64_t h = bytes.size();
	size_t at = 0;
	for (; at + 8 <= bytes.size(); at += 8) {
		uint64_t w;
		memcpy(&w, &bytes[at], 8);
		h = (h ^ w) * 0x9e3779b97f4a7c15;
		h ^= h >> 29;
	}
	for (; at < bytes.size(); at++)
		h = (h ^ bytes[at]) * 0x100000001b3;
	return mix64(h);
}

Status DifferRecord::save(const std::string &path) const
{
	std::string text;
	put(text, header);
	put_all(text, std::span(answers));
	put_all(text, std::span(chunks));
	put(text, uint64_t(contents.size()));
	for (const auto &[hash, bytes] : contents) {
		put(text, hash);
		put_all(text, std::span(bytes));
	}
	return write_file(path, text);
}

Result<DifferRecord> DifferRecord::load(const std::string &path)
{
	LIO_TRY(std::string text, read_file(path));
	Taker taker(text);
	DifferRecord r;
	r.header = taker.take<DifferHeader>();
	r.answers = taker.take_all<Answer>();
	r.chunks = taker.take_all<ChunkHash>();
	auto contents = taker.take<uint64_t>();
	for (uint64_t i = 0; i < contents && i < text.size(); i++) {
		auto hash = taker.take<uint64_t>();
		r.contents[hash] = taker.take_all<uint8_t>();
	}
	if (!taker.complete() || r.answers.size() != r.header.count)
		return Error{EPROTO, path, "no complete record in"};
	return r;
}

} // namespace lio::test
