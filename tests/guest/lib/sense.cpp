// SPDX-License-Identifier: GPL-2.0
#include "sense.hpp"

#include <cstdio>

#include "cdb.hpp"

namespace lio::test {

namespace {

void decode_sks(Sense &s, std::span<const uint8_t> sks)
{
	if (!(sks[0] & 0x80) || s.key != SenseKey::illegal_request)
		return;
	s.field_in_cdb = sks[0] & 0x40;
	s.field_pointer = static_cast<uint16_t>(get_be(sks.subspan(1, 2)));
}

std::optional<Sense> decode_fixed(std::span<const uint8_t> raw)
{
	if (raw.size() < 3)
		return {};
	Sense s;
	s.deferred = (raw[0] & 0x7f) == 0x71;
	s.key = SenseKey(raw[2] & 0xf);
	// Bytes past ADDITIONAL SENSE LENGTH are not part of the data.
	size_t end = raw.size() < 8 ? raw.size() : std::min<size_t>(raw.size(), 8u + raw[7]);
	if ((raw[0] & 0x80) && end >= 7)
		s.information = get_be(raw.subspan(3, 4));
	if (end >= 14) {
		s.asc = raw[12];
		s.ascq = raw[13];
	}
	if (end >= 18)
		decode_sks(s, raw.subspan(15, 3));
	return s;
}

std::optional<Sense> decode_descriptor(std::span<const uint8_t> raw)
{
	if (raw.size() < 8)
		return {};
	Sense s;
	s.descriptor = true;
	s.deferred = (raw[0] & 0x7f) == 0x73;
	s.key = SenseKey(raw[1] & 0xf);
	s.asc = raw[2];
	s.ascq = raw[3];
	size_t end = std::min<size_t>(raw.size(), 8u + raw[7]);
	for (size_t at = 8; at + 2 <= end && at + 2 + raw[at + 1] <= end; at += 2u + raw[at + 1]) {
		auto d = raw.subspan(at, 2u + raw[at + 1]);
		if (d[0] == 0x00 && d.size() >= 12 && (d[2] & 0x80))
			s.information = get_be(d.subspan(4, 8));
		if (d[0] == 0x02 && d.size() >= 8)
			decode_sks(s, d.subspan(4, 3));
	}
	return s;
}

} // namespace

std::optional<Sense> decode_sense(std::span<const uint8_t> raw)
{
	if (raw.empty())
		return {};
	switch (raw[0] & 0x7f) {
	case 0x70:
	case 0x71:
		return decode_fixed(raw);
	case 0x72:
	case 0x73:
		return decode_descriptor(raw);
	default:
		return {};
	}
}

std::string Sense::str() const
{
	char buf[120];
	int n = snprintf(buf, sizeof(buf), "%s%s sense %x/%02x/%02x", deferred ? "deferred " : "",
			 descriptor ? "descriptor" : "fixed", unsigned(key), asc, ascq);
	std::string s(buf, static_cast<size_t>(n));
	if (information)
		s += " information " + std::to_string(*information);
	if (field_pointer)
		s += std::string(field_in_cdb ? " cdb" : " data") + " byte " + std::to_string(*field_pointer);
	return s;
}

std::ostream &operator<<(std::ostream &os, const Sense &s)
{
	return os << s.str();
}

} // namespace lio::test
