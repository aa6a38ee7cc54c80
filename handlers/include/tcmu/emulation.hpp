// SPDX-License-Identifier: MIT
/** @file
 * A SCSI direct access block device (SPC-4, SBC-3) over a BlockStore.
 */
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <tcmu/block_store.hpp>
#include <tcmu/discovery.hpp>
#include <tcmu/handler.hpp>
#include <tcmu/log.hpp>
#include <tcmu/range_lock.hpp>

namespace tcmu {

/** What the emulated device looks like. */
struct BlockDeviceConfig {
	uint32_t block_size = 512;
	uint64_t blocks = 0;
	/** Longest transfer of a command, in blocks; 0: no limit reported. */
	uint32_t max_transfer_blocks = 0;
	/** The caching page's WCE; without it every write is durable when it ends. */
	bool write_cache = true;
	Identity identity{};
	/** Stands in for a missing serial in designators. */
	std::string name{};
};

/** Read the configuration of @p device from configfs. */
Result<BlockDeviceConfig> read_block_device_config(const Device &device);

/**
 * Does all a TCMU handler must do for a block device: the kernel passes nearly
 * every CDB through and itself answers only REPORT LUNS, persistent reservations
 * and the ALUA commands. One table describes every opcode; decoding, dispatch
 * and REPORT SUPPORTED OPERATION CODES read it.
 *
 * A command's state is a Job, one for each slot of the ring, made when the
 * device is opened. A job runs in steps; a step that starts an operation of the
 * store names the step that follows it. So synchronous and asynchronous stores
 * run the same code, without recursion.
 */
class BlockEmulator : public DeviceHandler {
public:
	/** Emulate over @p store for the ring of depth @p depth. */
	static Result<std::unique_ptr<BlockEmulator>>
	create(BlockDeviceConfig config, std::unique_ptr<BlockStore> store, uint32_t depth);
	~BlockEmulator() override;

	void submit(Command &command) override;
	Status poll(Device &device, bool may_block) override;
	bool uses_notify() const override { return store_->uses_notify(); }
	Status reconfigure(const Reconfiguration &change) override;

	const BlockDeviceConfig &config() const { return config_; }

private:
	struct Job;
	struct Opcode;
	class DataIn;
	struct ModePage;
	/** Jobs in line, linked through themselves. */
	struct Queue {
		Job *first = nullptr;
		Job *last = nullptr;

		void push(Job &job);
		Job *pop();
	};
	using Step = void (BlockEmulator::*)(Job &);
	/** What a pass over a range in pieces does with each piece. */
	enum class Pass : uint8_t {
		read_to_data,
		write_from_data,
		read_only,
		compare,
		compare_block,
		write_buffer,
	};

	BlockEmulator(BlockDeviceConfig config, std::unique_ptr<BlockStore> store, uint32_t depth);

	/* emulator.cpp: the machinery */
	Status use_size(uint64_t bytes);
	void drive(Job &job);
	void run_granted();
	void go(Job &job, Step next);
	void issue(Job &job, StoreRequest::Kind kind, Step next);
	void lock(Job &job, uint64_t begin, uint64_t end, bool exclusive, Step next);
	void take_buffer(Job &job, Step next);
	void give_buffer(Job &job);
	void finish(Job &job, const Reply &reply);
	void fail(Job &job, const Sense &sense);
	void fail_with_errno(Job &job, int error, bool writing);
	void finish_data_in(Job &job, const DataIn &data, uint64_t allocation);
	std::span<uint8_t> buffer_of(const Job &job);
	bool direct(const Job &job, uint64_t length) const;
	bool check_range(Job &job);
	bool check_transfer(Job &job, uint64_t data_needed);

	/* emulator_opcodes.cpp */
	static std::span<const Opcode> opcodes();
	static const Opcode *find(const Cdb &cdb);
	static const Opcode *find(uint8_t code, uint16_t service_action, bool &code_known);
	void decode(Job &job) const;
	bool enabled(const Opcode &opcode) const;
	void report_opcodes(Job &job);
	void report_all(Job &job, bool timeouts);
	void report_one(Job &job, unsigned option, bool timeouts);

	/* emulator_inquiry.cpp */
	void inquiry(Job &job);
	void standard_inquiry(DataIn &data) const;
	bool vital_product_data(uint8_t page, DataIn &data) const;
	void vpd_serial(DataIn &data) const;
	void vpd_identification(DataIn &data) const;
	void vpd_block_limits(DataIn &data) const;
	void vpd_characteristics(DataIn &data) const;
	void vpd_provisioning(DataIn &data) const;

	/* emulator_mode.cpp */
	void mode_sense(Job &job);
	void mode_select(Job &job);
	void mode_header(DataIn &data, bool ten, bool long_lba, bool descriptor) const;
	bool check_mode_pages(std::span<const uint8_t> list) const;
	static std::span<const ModePage> mode_pages();
	void page_caching(std::span<uint8_t> page) const;
	void page_control(std::span<uint8_t> page) const;
	void page_plain(std::span<uint8_t> page) const;

	/* emulator_primary.cpp */
	void test_unit_ready(Job &job);
	void request_sense(Job &job);
	void start_stop(Job &job);
	void read_capacity_10(Job &job);
	void read_capacity_16(Job &job);
	void get_lba_status(Job &job);

	/* emulator_block.cpp */
	void read(Job &job);
	void read_flushed(Job &job);
	void read_done(Job &job);
	void write(Job &job);
	void write_locked(Job &job);
	void start_write(Job &job, size_t data_offset, Step next);
	void write_done(Job &job);
	void write_and_verify(Job &job);
	void write_and_verify_locked(Job &job);
	void write_and_verify_written(Job &job);
	void verify(Job &job);
	void verify_pass(Job &job);
	void compare_and_write(Job &job);
	void compare_and_write_locked(Job &job);
	void compare_and_write_compared(Job &job);
	void synchronize_cache(Job &job);
	void passed(Job &job);
	void settle(Job &job);
	void run_pass(Job &job, Pass pass, Step next);
	void pass_piece(Job &job);
	void pass_piece_done(Job &job);
	bool compare_piece(Job &job, std::span<const uint8_t> piece);

	/* emulator_unmap.cpp */
	bool check_write_same(Job &job);
	void write_same(Job &job);
	void write_same_locked(Job &job);
	void write_same_fill(Job &job);
	void unmap(Job &job);
	bool check_unmap_list(Job &job, size_t length);
	struct UnmapDescriptor {
		uint64_t lba;
		uint64_t blocks;
	};
	static UnmapDescriptor unmap_descriptor(const Job &job, size_t index);
	void unmap_next(Job &job);

	BlockDeviceConfig config_;
	std::unique_ptr<BlockStore> store_;
	std::vector<Job> jobs_;
	RangeLocks locks_;
	/** Pieces of memory for passes; aligned for O_DIRECT. */
	std::unique_ptr<std::byte[], void (*)(void *)> buffers_;
	std::vector<uint32_t> free_buffers_;
	/** Jobs that wait for a buffer, and those that got what they waited for. */
	Queue buffer_waiters_;
	Queue granted_;
	LogLimit log_limit_;
};

} // namespace tcmu
