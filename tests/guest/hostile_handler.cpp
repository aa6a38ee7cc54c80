// SPDX-License-Identifier: GPL-2.0
/*
 * tcmu-hostile: a handler that does to the memory it shares with the kernel
 * whatever a broken or malicious one could. It answers commands honestly in
 * between, so that traffic goes on and mutations meet live entries.
 *
 * Each mode is a row of the table below. A run is repeatable as far as the
 * handler goes: the same seed gives the same mutations; when they meet which
 * command is up to the initiator and the scheduler.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <thread>

#include <tcmu/abi.hpp>
#include <tcmu/device.hpp>
#include <tcmu/discovery.hpp>

namespace {

using tcmu::ConfigfsDevice;
using tcmu::DeviceInfo;
using tcmu::Result;
using tcmu::Status;
using tcmu::SystemPaths;
using tcmu::UioMapping;
namespace abi = tcmu::abi;

struct Options {
	std::string device;
	std::string mode = "all";
	uint64_t seed = 1;
	uint64_t mutations = 1000;
	/** Reset the ring after so many mutations that may break it; 0: never. */
	unsigned recover_every = 5;
	/** Give up waiting for a command after so many milliseconds and mutate anyway. */
	unsigned patience = 20;
	unsigned progress = 10000;
};

struct Counters {
	uint64_t mutations = 0;
	uint64_t answered = 0;
	uint64_t recoveries = 0;
	uint64_t failed_recoveries = 0;
};

/** Where the honest part stands in the ring. */
struct Entry {
	uint8_t *at;
	uint32_t position;
	uint32_t length;
	uint16_t id;
	bool command;
};

struct Mode;

/** The device as a hostile process sees it, and what it does to it. */
class Hostile {
public:
	using Mutation = void (Hostile::*)(const Entry &);

	/** @p original: the mailbox as it was before anybody touched it. */
	Hostile(UioMapping mapping, const DeviceInfo &info, const Options &options,
		const std::optional<abi::Mailbox> &original)
		: mapping_(std::move(mapping)), configfs_(SystemPaths(), info.name),
		  options_(options), random_(options.seed)
	{
		auto bytes = mapping_.bytes();
		/* Of two processes that see an event only one can read it. */
		fcntl(mapping_.fd(), F_SETFL, O_RDWR | O_NONBLOCK);
		std::memcpy(&original_, bytes.data(), sizeof(original_));
		if (original)
			original_ = *original;
		mailbox_ = reinterpret_cast<abi::Mailbox *>(bytes.data());
		ring_ = reinterpret_cast<uint8_t *>(bytes.data()) + original_.cmdr_off;
		size_ = original_.cmdr_size;
	}

	/** Whether the mailbox has a ring inside the mapping, before we touch it. */
	bool sane() const
	{
		return original_.cmdr_off >= sizeof(abi::Mailbox) && size_ >= 4096 &&
		       size_ % abi::entry_alignment == 0 &&
		       uint64_t{original_.cmdr_off} + size_ <= mapping_.bytes().size();
	}

	void run(const Mode &mode, uint64_t count);
	void restore();
	bool recover();
	void scribble(std::atomic<bool> &stop);
	void doorbell() { (void)static_cast<bool>(mapping_.doorbell()); }
	UioMapping &mapping() { return mapping_; }
	const abi::Mailbox &original() const { return original_; }
	uint64_t random() { return random_(); }

	void tail_garbage(const Entry &) { store_tail(static_cast<uint32_t>(random_())); }
	void tail_beyond(const Entry &)
	{
		store_tail((load(&mailbox_->cmd_head) + 8 * (1 + below(64))) % size_);
	}
	void tail_back(const Entry &entry)
	{
		store_tail((entry.position + size_ - 8 * (1 + below(512)) % size_) % size_);
	}
	void tail_unaligned(const Entry &entry) { store_tail(entry.position + 1 + below(7)); }
	void id_unknown(const Entry &entry) { put<uint16_t>(entry.at + 4, static_cast<uint16_t>(random_())); }
	void id_double(const Entry &entry) { put<uint16_t>(entry.at + 4, last_id_); }
	void id_reuse(const Entry &entry) { put<uint16_t>(entry.at + 4, history_[below(64)]); }
	void length(const Entry &entry);
	void mailbox(const Entry &);
	void read_length(const Entry &entry)
	{
		entry.at[7] |= abi::uflag_read_length;
		put<uint32_t>(entry.at + offsetof(abi::Response, read_len), odd_number());
	}
	void uflags(const Entry &entry) { entry.at[7] = static_cast<uint8_t>(random_()); }
	void sense(const Entry &entry)
	{
		entry.at[offsetof(abi::Response, scsi_status)] = 0x02;
		garbage(entry.at + offsetof(abi::Response, sense_buffer), abi::sense_buffer_size);
	}
	void status(const Entry &entry)
	{
		entry.at[offsetof(abi::Response, scsi_status)] = static_cast<uint8_t>(random_());
	}
	void vectors(const Entry &entry) { poke(entry, 8, entry.length); }
	void cdb(const Entry &entry) { poke(entry, entry.length / 2, entry.length); }
	void anywhere(const Entry &)
	{
		garbage(ring_ + below(size_ - 64), 1 + below(64));
	}
	void data(const Entry &);
	void no_answer(const Entry &entry) { store_tail(entry.position); }

private:
	static uint32_t load(const uint32_t *field)
	{
		return std::atomic_ref(*const_cast<uint32_t *>(field)).load(std::memory_order_acquire);
	}
	void store_tail(uint32_t value)
	{
		std::atomic_ref(mailbox_->cmd_tail).store(value, std::memory_order_release);
		tail_set_ = true;
	}
	template <class T> static void put(uint8_t *at, T value) { std::memcpy(at, &value, sizeof(value)); }
	uint32_t below(uint32_t limit) { return static_cast<uint32_t>(random_() % limit); }
	uint32_t odd_number()
	{
		return static_cast<uint32_t>(random_() >> below(48));
	}
	void garbage(uint8_t *at, size_t length)
	{
		for (size_t i = 0; i < length; i++)
			at[i] = static_cast<uint8_t>(random_());
	}
	/** A few random bytes in [from, to) of the entry. */
	void poke(const Entry &entry, uint32_t from, uint32_t to)
	{
		for (unsigned i = 1 + below(8); i-- > 0 && from < to;)
			entry.at[from + below(to - from)] = static_cast<uint8_t>(random_());
	}
	bool pending();
	Entry current();
	void advance(const Entry &entry);
	void answer(const Entry &entry);
	void wait();
	void mutate(const Mode &mode, Entry victim);
	void step(const Mode &mode);
	void report() const;

	UioMapping mapping_;
	ConfigfsDevice configfs_;
	Options options_;
	std::mt19937_64 random_;
	abi::Mailbox original_{};
	abi::Mailbox *mailbox_ = nullptr;
	uint8_t *ring_ = nullptr;
	uint32_t size_ = 0;
	uint32_t tail_ = 0;
	uint16_t last_id_ = 0;
	std::array<uint16_t, 64> history_{};
	/** Mutations since the last reset that the kernel may have called the ring broken for. */
	unsigned damage_ = 0;
	/** The mutation has set the tail; leave it. */
	bool tail_set_ = false;
	Counters counters_;
};

struct Mode {
	std::string_view name;
	/** What it does; none: any of the others, each time another. */
	Hostile::Mutation mutation;
	/** The kernel may stop reading the ring until it is reset. */
	bool breaks;
	const char *help;
};

/** All modes but "all". */
std::span<const Mode> modes()
{
	static constexpr Mode table[] = {
		{"tail-garbage", &Hostile::tail_garbage, true, "cmd_tail is any number"},
		{"tail-beyond", &Hostile::tail_beyond, true, "cmd_tail is ahead of cmd_head"},
		{"tail-back", &Hostile::tail_back, true, "cmd_tail goes backwards"},
		{"tail-unaligned", &Hostile::tail_unaligned, true, "cmd_tail is no multiple of 8"},
		{"id-unknown", &Hostile::id_unknown, true, "answers name commands that may not exist"},
		{"id-double", &Hostile::id_double, true, "answers repeat the previous command"},
		{"id-reuse", &Hostile::id_reuse, true, "answers name commands ended long ago"},
		{"length", &Hostile::length, true, "len_op: wrong op, short, long, zero"},
		{"mailbox", &Hostile::mailbox, true, "any field of the mailbox"},
		{"read-len", &Hostile::read_length, false, "huge read_len"},
		{"uflags", &Hostile::uflags, true, "random uflags"},
		{"sense", &Hostile::sense, false, "garbage sense data"},
		{"status", &Hostile::status, false, "random SCSI status"},
		{"iov", &Hostile::vectors, false, "the entry's vectors are overwritten"},
		{"cdb", &Hostile::cdb, false, "the entry's CDB is overwritten"},
		{"ring", &Hostile::anywhere, true, "noise anywhere in the ring"},
		{"data", &Hostile::data, false, "noise in the data area"},
		{"silent", &Hostile::no_answer, true, "commands are read and not answered"},
	};

	return table;
}

constexpr Mode any_mode{"all", nullptr, false, "a random one of the above each time"};

void Hostile::length(const Entry &entry)
{
	uint32_t op = entry.command ? abi::op_command : abi::op_pad;
	uint32_t choices[] = {0,
			      op,
			      (entry.length + 8) | op,
			      (entry.length - 8) | op,
			      0xfffffff8u | op,
			      (size_ & ~7u) | op,
			      entry.length | below(8),
			      static_cast<uint32_t>(random_())};

	put<uint32_t>(entry.at, choices[below(std::size(choices))]);
}

/** Every field of the mailbox, and what lies between them. */
void Hostile::mailbox(const Entry &)
{
	auto *bytes = reinterpret_cast<uint8_t *>(mailbox_);

	if (below(2))
		garbage(bytes + below(124), 1 + below(4));
	else
		put<uint32_t>(bytes + 4 * below(17), odd_number());
	tail_set_ = below(2);
}

/** The data area has holes; writing through the kernel finds them without SIGBUS. */
void Hostile::data(const Entry &)
{
	auto bytes = mapping_.bytes();
	uint64_t begin = original_.cmdr_off + uint64_t{size_};
	std::array<uint8_t, 64> noise;

	if (bytes.size() < begin + 4096)
		return;
	uint64_t reach = std::min<uint64_t>(bytes.size() - begin, 4 << 20) - noise.size();
	garbage(noise.data(), noise.size());
	iovec from{noise.data(), noise.size()};
	iovec to{bytes.data() + begin + random_() % reach, noise.size()};
	process_vm_writev(getpid(), &from, 1, &to, 1, 0);
}

/** Whether the kernel has put something behind the honest tail. */
bool Hostile::pending()
{
	uint32_t head = load(&mailbox_->cmd_head);

	return head != tail_ && head < size_ && head % abi::entry_alignment == 0;
}

/** The entry at the honest tail, or what memory there looks like one. */
Entry Hostile::current()
{
	Entry entry{ring_ + tail_, tail_, 0, 0, false};
	uint32_t len_op;

	std::memcpy(&len_op, entry.at, sizeof(len_op));
	std::memcpy(&entry.id, entry.at + 4, sizeof(entry.id));
	entry.length = len_op & ~abi::op_mask;
	bool fits = entry.length >= abi::min_command_length && entry.length <= size_ - tail_;
	entry.command = fits && (len_op & abi::op_mask) == abi::op_command;
	return entry;
}

void Hostile::answer(const Entry &entry)
{
	std::memset(entry.at + offsetof(abi::Response, scsi_status), 0,
		    abi::min_command_length - offsetof(abi::Response, scsi_status));
	history_[below(64)] = last_id_;
	last_id_ = entry.id;
	counters_.answered++;
}

void Hostile::wait()
{
	pollfd fd{mapping_.fd(), POLLIN, 0};

	if (poll(&fd, 1, static_cast<int>(options_.patience)) > 0)
		(void)static_cast<bool>(mapping_.wait());
}

/** Go on to the next entry; after our own nonsense, to where the kernel is. */
void Hostile::advance(const Entry &entry)
{
	bool sane = entry.length >= sizeof(abi::EntryHeader) && entry.length <= size_ - tail_;

	tail_ = sane ? (tail_ + entry.length) % size_ : load(&mailbox_->cmd_head);
	if (tail_ >= size_ || tail_ % abi::entry_alignment)
		tail_ = 0;
}

/** Do what @p mode says to @p victim, or nearby if that is no command. */
void Hostile::mutate(const Mode &mode, Entry victim)
{
	if (!victim.command) {
		/* Nothing live: a place with enough room for what mutations do. */
		victim.at = ring_ + std::min(victim.position, size_ - 256);
		victim.length = abi::min_command_length;
	}
	const Mode &chosen = mode.mutation ? mode : modes()[below(static_cast<uint32_t>(modes().size()))];
	(this->*chosen.mutation)(victim);
	counters_.mutations++;
	damage_ += chosen.breaks;
}

/**
 * Answer some of what is in the ring and mutate the last of it; every one of
 * it with mutations after which the kernel goes on reading.
 */
void Hostile::step(const Mode &mode)
{
	if (!pending())
		wait();
	tail_set_ = false;
	Entry victim = current();
	for (uint32_t count = 1 + below(16); count-- > 0 && pending();) {
		victim = current();
		if (victim.command)
			answer(victim);
		advance(victim);
		if (victim.command && mode.mutation && !mode.breaks && count && pending())
			mutate(mode, victim);
	}
	mutate(mode, victim);
	if (!tail_set_)
		store_tail(tail_);
	doorbell();
}

void Hostile::report() const
{
	std::printf("mutations=%llu answered=%llu recoveries=%llu failed_recoveries=%llu\n",
		    static_cast<unsigned long long>(counters_.mutations),
		    static_cast<unsigned long long>(counters_.answered),
		    static_cast<unsigned long long>(counters_.recoveries),
		    static_cast<unsigned long long>(counters_.failed_recoveries));
	std::fflush(stdout);
}

/** Put back what a new handler looks at, and have the kernel start anew. */
bool Hostile::recover()
{
	restore();
	damage_ = 0;
	Status done = configfs_.recover_ring();
	counters_.recoveries++;
	if (!done) {
		counters_.failed_recoveries++;
		std::fprintf(stderr, "tcmu-hostile: %s\n", done.error().text().c_str());
	}
	tail_ = load(&mailbox_->cmd_tail);
	if (tail_ >= size_ || tail_ % abi::entry_alignment)
		tail_ = 0;
	return static_cast<bool>(done);
}

void Hostile::restore()
{
	mailbox_->version = original_.version;
	mailbox_->flags = original_.flags;
	mailbox_->cmdr_off = original_.cmdr_off;
	mailbox_->cmdr_size = original_.cmdr_size;
}

void Hostile::run(const Mode &mode, uint64_t count)
{
	uint64_t next_report = options_.progress;

	tail_ = load(&mailbox_->cmd_tail) % size_ & ~(abi::entry_alignment - 1);
	while (counters_.mutations < count) {
		step(mode);
		if (options_.recover_every && damage_ >= options_.recover_every)
			recover();
		if (options_.progress && counters_.mutations >= next_report) {
			report();
			next_report += options_.progress;
		}
	}
	report();
}

/** Random words all over mailbox and ring for as long as the honest part serves. */
void Hostile::scribble(std::atomic<bool> &stop)
{
	std::mt19937_64 random(options_.seed ^ 0x5c41bb1e);
	auto *bytes = reinterpret_cast<uint8_t *>(mapping_.bytes().data());

	while (!stop) {
		uint64_t value = random() >> (random() % 64);
		uint64_t reach = random() % 4 ? 4096 : original_.cmdr_off + uint64_t{size_} - 8;
		std::memcpy(bytes + random() % reach, &value, size_t{1} << random() % 4);
		if (random() % 64 == 0)
			std::this_thread::yield();
	}
}

/** The mode with this name, or nullptr. */
const Mode *mode_named(std::string_view name)
{
	for (const Mode &mode : modes())
		if (name == mode.name)
			return &mode;
	return name == any_mode.name ? &any_mode : nullptr;
}

Result<DeviceInfo> wanted_device(const std::string &name)
{
	auto all = tcmu::scan_devices({});

	if (!all)
		return all.error();
	for (const DeviceInfo &device : *all)
		if (name.empty() || device.name.name == name)
			return device;
	return tcmu::Error{ENODEV, "TCMU device \"" + name + "\""};
}

/** A predecessor's memory may live a moment longer than its process. */
std::unique_ptr<Hostile> open_hostile(const DeviceInfo &info, const Options &options,
				      const std::optional<abi::Mailbox> &original = std::nullopt)
{
	for (unsigned tries = 0; tries < 500; tries++) {
		auto mapping = UioMapping::open({}, info.minor);
		if (mapping) {
			auto hostile = std::make_unique<Hostile>(std::move(*mapping), info, options,
								 original);
			if (hostile->sane())
				return hostile;
			std::fprintf(stderr, "tcmu-hostile: mailbox makes no sense\n");
			return nullptr;
		}
		if (mapping.error().code != EBUSY) {
			std::fprintf(stderr, "tcmu-hostile: %s\n", mapping.error().text().c_str());
			return nullptr;
		}
		std::this_thread::sleep_for(std::chrono::milliseconds(10));
	}
	std::fprintf(stderr, "tcmu-hostile: device stays busy\n");
	return nullptr;
}

int mutate(const DeviceInfo &info, const Options &options, const Mode &mode)
{
	auto hostile = open_hostile(info, options);

	if (!hostile)
		return 1;
	hostile->run(mode, options.mutations);
	return hostile->recover() ? 0 : 1;
}

/** A second thread scribbles while the first serves and resets. */
int scribble(const DeviceInfo &info, const Options &options)
{
	auto hostile = open_hostile(info, options);
	std::atomic<bool> stop{false};

	if (!hostile)
		return 1;
	std::thread scribbler([&] { hostile->scribble(stop); });
	hostile->run(*mode_named("mailbox"), options.mutations);
	stop = true;
	scribbler.join();
	return hostile->recover() ? 0 : 1;
}

/** What a child process does before it is gone. */
using Life = void (*)(Hostile &hostile, Options &options);

void die_serving(Hostile &hostile, Options &options)
{
	std::thread killer([&hostile] {
		std::this_thread::sleep_for(std::chrono::microseconds(hostile.random() % 20000));
		kill(getpid(), SIGKILL);
	});
	hostile.run(any_mode, options.mutations);
	killer.join();
}

/** Unmapping, closing, duplicating and exiting in an order of chance. */
void odd_order(Hostile &hostile, Options &)
{
	UioMapping &mapping = hostile.mapping();
	int copy = dup(mapping.fd());

	hostile.run(*mode_named("status"), 1 + hostile.random() % 4);
	for (unsigned i = 0; i < 4; i++) {
		switch (hostile.random() % 5) {
		case 0:
			mapping.close();
			break;
		case 1:
			mapping.unmap();
			break;
		case 2:
			close(copy);
			break;
		case 3:
			/* Part of the mapping only: the ring without the mailbox. */
			if (!mapping.bytes().empty())
				munmap(mapping.bytes().data() + 4096, 8192);
			break;
		case 4:
			hostile.doorbell();
			break;
		}
	}
}

/** Parent and child serve the same mapping at once. */
void fight(Hostile &hostile, Options &options)
{
	pid_t other = fork();

	hostile.run(*mode_named("status"), std::min<uint64_t>(options.mutations, 200));
	if (other == 0)
		_exit(0);
	if (other > 0)
		waitpid(other, nullptr, 0);
}

/** Lead one life after the other until there were enough mutations. */
int lives(const DeviceInfo &info, const Options &options, Life life)
{
	uint64_t rounds = std::max<uint64_t>(options.mutations / 100, 1);
	std::optional<abi::Mailbox> saved;

	{
		auto first = open_hostile(info, options);
		if (!first)
			return 1;
		saved = first->original();
	}
	for (uint64_t round = 0; round < rounds; round++) {
		pid_t child = fork();
		if (child == 0) {
			Options own = options;
			own.seed = options.seed + round;
			own.mutations = 100;
			own.progress = 0;
			auto hostile = open_hostile(info, own, saved);
			if (hostile)
				life(*hostile, own);
			_exit(hostile ? 0 : 1);
		}
		int status = 0;
		waitpid(child, &status, 0);
		if (WIFEXITED(status) && WEXITSTATUS(status))
			return 1;
		/* The next one starts from a mailbox that makes sense. */
		if (auto cleaner = open_hostile(info, options, saved); !cleaner || !cleaner->recover())
			return 1;
	}
	std::printf("lives=%llu mutations=%llu\n", static_cast<unsigned long long>(rounds),
		    static_cast<unsigned long long>(rounds * 100));
	return 0;
}

std::string help_of_modes()
{
	std::string text = "one of:";

	for (const Mode &mode : modes())
		text += "\n  " + std::string(mode.name) + ": " + mode.help;
	return text + "\n  all: " + any_mode.help + "\n  scribble: a second thread writes noise all the time"
		      "\n  die: SIGKILL at random moments, over and over"
		      "\n  order: unmap, close and exit in odd orders, over and over"
		      "\n  fight: two processes serve at once, over and over";
}

} // namespace

int main(int argc, char **argv)
{
	CLI::App app{"tcmu-hostile: do to a TCMU ring what no handler should"};
	Options options;

	app.add_option("--device", options.device, "configfs name of the device (default: the first)");
	app.add_option("--mode", options.mode, help_of_modes())->capture_default_str();
	app.add_option("--seed", options.seed)->capture_default_str();
	app.add_option("--mutations", options.mutations, "how many")->capture_default_str();
	app.add_option("--recover-every", options.recover_every,
		       "reset the ring after so many mutations that may break it; 0: only at the end")
		->capture_default_str();
	app.add_option("--patience", options.patience,
		       "milliseconds to wait for a command before mutating an empty ring")
		->capture_default_str();
	app.add_option("--progress", options.progress, "report after so many mutations; 0: never")
		->capture_default_str();
	CLI11_PARSE(app, argc, argv);

	auto info = wanted_device(options.device);
	if (!info) {
		std::fprintf(stderr, "tcmu-hostile: %s\n", info.error().text().c_str());
		return 1;
	}
	if (options.mode == "scribble")
		return scribble(*info, options);
	if (options.mode == "die")
		return lives(*info, options, die_serving);
	if (options.mode == "order")
		return lives(*info, options, odd_order);
	if (options.mode == "fight")
		return lives(*info, options, fight);
	const Mode *mode = mode_named(options.mode);
	if (!mode) {
		std::fprintf(stderr, "tcmu-hostile: no mode \"%s\"\n", options.mode.c_str());
		return 1;
	}
	return mutate(*info, options, *mode);
}
