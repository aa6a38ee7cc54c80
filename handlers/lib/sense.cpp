// SPDX-License-Identifier: MIT
#include <tcmu/sense.hpp>

#include <algorithm>

#include <tcmu/endian.hpp>

namespace tcmu {

namespace {
constexpr uint8_t fixed_current = 0x70;
constexpr uint8_t descriptor_current = 0x72;
constexpr uint8_t valid = 0x80;
} // namespace

size_t encode_fixed_sense(const Sense &sense, std::span<uint8_t, fixed_sense_length> out)
{
	std::ranges::fill(out, 0);
	out[0] = fixed_current | (sense.has_information ? valid : 0);
	out[2] = static_cast<uint8_t>(sense.key);
	put_be(&out[3], sense.information, 4);
	out[7] = fixed_sense_length - 8;
	out[12] = sense.asc;
	out[13] = sense.ascq;
	return fixed_sense_length;
}

size_t encode_descriptor_sense(const Sense &sense,
			       std::span<uint8_t, descriptor_sense_length> out)
{
	std::ranges::fill(out, 0);
	out[0] = descriptor_current;
	out[1] = static_cast<uint8_t>(sense.key);
	out[2] = sense.asc;
	out[3] = sense.ascq;
	return descriptor_sense_length;
}

Sense decode_sense(std::span<const uint8_t> data)
{
	if (data.size() < descriptor_sense_length)
		return sense::none;
	uint8_t format = data[0] & 0x7f;
	if (format >= descriptor_current)
		return {SenseKey(data[1] & 0xf), data[2], data[3]};
	Sense sense{SenseKey(data[2] & 0xf), 0, 0};
	if (data.size() >= 14) {
		sense.asc = data[12];
		sense.ascq = data[13];
	}
	if (data[0] & valid)
		return sense.with_information(static_cast<uint32_t>(get_be(&data[3], 4)));
	return sense;
}

} // namespace tcmu
