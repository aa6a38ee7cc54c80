// SPDX-License-Identifier: MIT
#include "emulator.hpp"

#include <cstring>

namespace tcmu {

namespace {

constexpr uint8_t all_pages = 0x3f;
constexpr uint8_t all_subpages = 0xff;

/** PAGE CONTROL (SPC-4 table 168). */
enum PageControl : uint8_t { current, changeable, defaults, saved };

} // namespace

/** One mode page, without subpages; nothing in it can be changed by MODE SELECT. */
struct BlockEmulator::ModePage {
	uint8_t code;
	/** Bytes in all, two of them the page's header. */
	uint8_t size;
	void (BlockEmulator::*fill)(std::span<uint8_t> page) const;
};

std::span<const BlockEmulator::ModePage> BlockEmulator::mode_pages()
{
	static constexpr ModePage pages[] = {
		{0x01, 12, &BlockEmulator::page_plain}, /* read-write error recovery */
		{0x08, 20, &BlockEmulator::page_caching},
		{0x0a, 12, &BlockEmulator::page_control},
		{0x1c, 12, &BlockEmulator::page_plain}, /* informational exceptions */
	};
	return pages;
}

void BlockEmulator::page_plain(std::span<uint8_t>) const {}

/** SBC-3 6.4.5: WCE says whether SYNCHRONIZE CACHE has anything to do. */
void BlockEmulator::page_caching(std::span<uint8_t> page) const
{
	constexpr uint8_t wce = 0x04, dra = 0x20;

	page[2] = config_.write_cache ? wce : 0;
	page[12] = dra;
}

/** SPC-4 7.5.8: commands may be reordered at will. */
void BlockEmulator::page_control(std::span<uint8_t> page) const
{
	constexpr uint8_t unrestricted_reordering = 0x10;

	page[3] = unrestricted_reordering;
}

/** Mode parameter header and block descriptor (SPC-4 7.5.5, SBC-3 6.4.2). */
void BlockEmulator::mode_header(DataIn &data, bool ten, bool long_lba, bool descriptor) const
{
	constexpr uint8_t write_protected = 0x80, dpofua = 0x10;
	uint8_t specific = dpofua | (store_->traits().read_only ? write_protected : 0);
	uint8_t descriptor_length = descriptor ? (long_lba ? 16 : 8) : 0;

	data.zeroes(ten ? 2 : 1);
	data.put(0, 1);
	data.put(specific, 1);
	if (ten) {
		data.put(long_lba ? 1 : 0, 1);
		data.zeroes(1);
		data.put(descriptor_length, 2);
	} else {
		data.put(descriptor_length, 1);
	}
	if (!descriptor)
		return;
	if (long_lba) {
		data.put(config_.blocks, 8);
		data.zeroes(4);
	} else {
		data.put(std::min<uint64_t>(config_.blocks, UINT32_MAX), 4);
	}
	data.put(config_.block_size, 4);
}

void BlockEmulator::mode_sense(Job &job)
{
	bool ten = job.cdb.size() == 10;
	uint8_t page_code = job.cdb.u8(2) & 0x3f;
	uint8_t subpage = job.cdb.u8(3);
	auto control = static_cast<PageControl>(job.cdb.u8(2) >> 6);
	bool found = page_code == all_pages;
	DataIn data;

	if (control == saved)
		return fail(job, sense::saving_not_supported);
	if (subpage != 0 && subpage != all_subpages)
		return fail(job, sense::invalid_field_in_cdb);
	mode_header(data, ten, ten && job.cdb.bit(1, 4), !job.cdb.bit(1, 3));
	for (const ModePage &page : mode_pages()) {
		std::array<uint8_t, UINT8_MAX> bytes{};
		if (page_code != all_pages && page_code != page.code)
			continue;
		found = true;
		if (control != changeable)
			(this->*page.fill)(bytes);
		bytes[0] = page.code;
		bytes[1] = page.size - 2;
		data.append(std::span(bytes).first(page.size));
	}
	if (!found)
		return fail(job, sense::invalid_field_in_cdb);
	data.set(0, data.size() - (ten ? 2 : 1), ten ? 2 : 1);
	finish_data_in(job, data, ten ? job.cdb.be(7, 2) : job.cdb.be(4, 1));
}

/** Whether the pages in @p list say what is so already: all that can be asked for. */
bool BlockEmulator::check_mode_pages(std::span<const uint8_t> list) const
{
	while (list.size() >= 2) {
		bool same = false;

		for (const ModePage &page : mode_pages()) {
			std::array<uint8_t, UINT8_MAX> bytes{};
			if ((list[0] & 0x7f) != page.code || list[1] != page.size - 2 ||
			    list.size() < page.size)
				continue;
			(this->*page.fill)(bytes);
			same = std::memcmp(&bytes[2], &list[2], page.size - 2u) == 0;
		}
		if (!same)
			return false;
		list = list.subspan(list[1] + 2u);
	}
	return list.empty();
}

/** SPC-4 6.9. No page can be changed, so only what changes nothing is taken. */
void BlockEmulator::mode_select(Job &job)
{
	bool ten = job.cdb.size() == 10;
	size_t wanted = ten ? job.cdb.be(7, 2) : job.cdb.be(4, 1);
	size_t header = ten ? 8 : 4;
	std::array<uint8_t, 512> bytes;

	/* PF must be set, SP must not: there is nowhere to save to. */
	if ((job.cdb.u8(1) & 0x11) != 0x10)
		return fail(job, sense::invalid_field_in_cdb);
	if (wanted == 0)
		return finish(job, Reply::good());
	size_t length = job.command->data().gather(0, std::span(bytes).first(
							     std::min(wanted, bytes.size())));
	if (length < wanted || length < header)
		return fail(job, sense::parameter_list_length);
	size_t descriptors = ten ? get_be(&bytes[6], 2) : bytes[3];
	if (descriptors > length - header)
		return fail(job, sense::parameter_list_length);
	std::span<const uint8_t> list(bytes.data() + header + descriptors,
				      length - header - descriptors);
	/* A block descriptor may only repeat the block size (its last bytes). */
	bool size_kept = descriptors < 8 ||
			 get_be(list.data() - 3, 3) == config_.block_size;
	if (!size_kept || !check_mode_pages(list))
		return fail(job, sense::invalid_field_in_parameters);
	finish(job, Reply::good());
}

} // namespace tcmu
