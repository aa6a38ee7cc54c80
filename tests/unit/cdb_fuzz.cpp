// SPDX-License-Identifier: GPL-2.0
// Any CDB for any device: what the parser lets through is in the opcode table, has no reserved bit
// and lies on the medium; the block commands that take parameter lists get any list.
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <vector>

#include "fuzz_input.hpp"
#include "shim.h"

extern "C" {
#include "target_core.h"

#include "core_fakes.h"
}

namespace {

core_dev any_device(fuzz::Input &in)
{
	core_dev dev{};
	uint16_t bits = in.half();
	core_fake_device(&dev.dev);
	auto &a = dev.dev.dev_attrib;
	a.emulate_tpu = bits & 1;
	a.emulate_tpws = bits & 2;
	a.emulate_caw = bits & 4;
	a.emulate_rsoc = bits & 8;
	a.emulate_fua_write = bits & 16;
	a.emulate_write_cache = bits & 32;
	a.unmap_zeroes_data = bits & 64;
	a.pi_prot_type = target_prot_type(bits >> 7 & 3);
	dev.emulate_format = bits & 512;
	a.block_size = 512u << (bits >> 10 & 3);
	a.max_write_same_len = in.word();
	a.max_unmap_lba_count = in.word();
	a.max_unmap_block_desc_count = in.half();
	return dev;
}

/// Some bytes, or an entry of the table with nothing in its reserved bits.
void any_cdb(fuzz::Input &in, const core_dev &dev, u8 *cdb)
{
	bool from_table = in.byte() & 1;
	unsigned count;
	const cdb_op *op = cdb_table(&count);
	op += in.byte() % count;
	auto bytes = in.bytes(from_table ? op->len : CDB_MAX_LEN);
	std::copy(bytes.begin(), bytes.end(), cdb);
	if (!from_table)
		return;
	u8 usage[CDB_MAX_LEN], fixed[CDB_MAX_LEN] = {op->opcode};
	cdb_usage(op, &dev.dev, usage);
	if (op->opcode == VARIABLE_LENGTH_CMD) {
		fixed[7] = u8(op->len - 8);
		fixed[9] = u8(op->sa);
	} else if (op->has_sa) {
		fixed[1] = u8(op->sa);
		usage[1] &= 0xe0;
	}
	for (int i = 0; i < op->len; i++)
		cdb[i] = fixed[i] ? u8(fixed[i] | (i == 1 ? cdb[i] & usage[i] : 0)) : u8(cdb[i] & usage[i]);
}

/// A parameter list: some bytes, or UNMAP's with ranges about the medium's end, cut somewhere.
std::vector<u8> any_list(fuzz::Input &in)
{
	if (in.byte() & 1) {
		auto bytes = in.bytes(4096);
		return {bytes.begin(), bytes.end()};
	}
	unsigned count = in.byte() % 8;
	std::vector<u8> list(8 + 16 * count);
	put_unaligned_be16(u16(16 * count + (in.byte() & 1 ? in.byte() : 0)), &list[2]);
	for (size_t at = 8; at < list.size(); at += 16) {
		put_unaligned_be64(core_fakes.last_lba - 8 + (in.byte() & 15), &list[at]);
		put_unaligned_be32(in.byte() & 15, &list[at + 8]);
	}
	if (in.byte() & 1)
		list.resize(in.byte() % (list.size() + 1));
	return list;
}

void check_accepted(const se_cmd &cmd, const core_dev &dev)
{
	const cdb_op *op = cdb_find(cmd.t_task_cdb);
	shim_assert(op && cdb_enabled(op, &dev.dev));
	// A read that is sent data: they are dropped.
	bool dropped = cmd.execute_cmd != op->execute;
	u64 bytes = u64(cmd.t_task_nolb) * dev.dev.dev_attrib.block_size;
	if (dropped)
		shim_assert(!(op->flags & CDB_OUT) && cmd.data_direction == DMA_TO_DEVICE && cmd.data_length <= bytes);

	u8 usage[CDB_MAX_LEN];
	cdb_usage(op, &dev.dev, usage);
	if (op->opcode == INQUIRY)
		usage[1] |= 0xe0; // SCSI-2's LUN, which is ignored there
	if (op->opcode != VARIABLE_LENGTH_CMD)
		for (int i = 1; i < op->len; i++)
			shim_assert(!(cmd.t_task_cdb[i] & ~usage[i]));
	if (op->flags & CDB_RANGE)
		shim_assert((unsigned __int128)cmd.t_task_lba + cmd.t_task_nolb <=
			    (unsigned __int128)core_fakes.last_lba + 1);
	if (op->opcode == WRITE_ATOMIC_16)
		shim_assert(cmd.t_task_nolb <= core_fakes.atomic_max && cmd.sam_task_attr == TCM_ORDERED_TAG);
	if (op->flags & CDB_BLOCKS && op->opcode != COMPARE_AND_WRITE && !dropped)
		shim_assert(bytes == core_fakes.size);
	if (core_fakes.size && cmd.data_length && cmd.data_direction != DMA_BIDIRECTIONAL && !dropped)
		shim_assert((cmd.data_direction == DMA_TO_DEVICE) == !!(op->flags & CDB_OUT));
}

/// Runs what needs nothing of the medium but its size.
void execute(se_cmd &cmd, const core_dev &dev)
{
	if (cmd.execute_cmd != sbc_unmap && cmd.execute_cmd != sbc_format && cmd.execute_cmd != sbc_sanitize)
		return;
	sense_reason_t ret = cmd.execute_cmd(&cmd);
	shim_assert(core_fakes.nr_completed == (ret == 0));
	// The fake makes no job: no memory.
	shim_assert(core_fakes.nr_jobs == (ret == TCM_OUT_OF_RESOURCES));
	shim_assert(core_fakes.unmapped <= dev.dev.dev_attrib.max_unmap_lba_count);
	shim_assert(core_fakes.nr_unmaps <= dev.dev.dev_attrib.max_unmap_block_desc_count);
	if (core_fakes.nr_unmaps)
		shim_assert(core_fakes.unmap_end - 1 <= core_fakes.last_lba);
	shim_assert(!dev.format_progress);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const bool initialised = cdb_init() == 0;
	shim_assert(initialised);
	fuzz::Input in(data, size);
	core_dev dev = any_device(in);
	core_fakes = {};
	core_fakes.atomic_max = in.byte();
	core_fakes.atomic_alignment = in.byte() & 7;
	core_fakes.atomic_granularity = in.byte() & 7;
	// get_blocks() of a backend: the last LBA, never all ones.
	core_fakes.last_lba = in.quad() >> (in.byte() & 63);
	if (core_fakes.last_lba == ~0ull)
		core_fakes.last_lba--;
	u8 cdb[CDB_MAX_LEN] = {};
	any_cdb(in, dev, cdb);
	se_cmd cmd{};
	cmd.se_dev = &dev.dev;
	cmd.t_task_cdb = cdb;
	cmd.data_direction = dma_data_direction(in.byte() & 3);
	uint16_t length = in.half();
	// The end of the list is the end of memory, where ASan sees.
	const std::vector<u8> list = any_list(in);
	core_fakes.out = list.data();
	core_fakes.out_len = list.size();
	cmd.data_length = length & 1 ? length : u32(list.size());
	if (cdb[0] == UNMAP && length & 2)
		put_unaligned_be16(u16(list.size()), &cdb[7]);

	if (sbc_parse_cdb(&cmd, &core_fake_ops))
		return 0;
	check_accepted(cmd, dev);
	execute(cmd, dev);
	shim_assert(!shim_nr_allocs);
	return 0;
}
