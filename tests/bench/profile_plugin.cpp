// SPDX-License-Identifier: GPL-2.0
// A QEMU TCG plugin: counts how often every translated block of the guest runs between two marks
// (loader.cpp) and writes the counts, one file a pair of marks: "ADDRESS INSTRUCTIONS COUNT" lines.
//   -plugin FILE,prefix=PATH        writes PATH.0, PATH.1, ...
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <map>
#include <string>
#include <utility>

// What is used of QEMU's plugin interface, version 1 (docs/devel/tcg-plugins.rst); Debian has no header.
extern "C" {
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info_t;
using qemu_plugin_id_t = uint64_t;
using qemu_plugin_translated = void (*)(qemu_plugin_id_t, qemu_plugin_tb *);
using qemu_plugin_executed = void (*)(unsigned, void *);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, qemu_plugin_translated cb);
void qemu_plugin_register_vcpu_tb_exec_inline(qemu_plugin_tb *tb, int op, void *ptr, uint64_t imm);
void qemu_plugin_register_vcpu_insn_exec_cb(qemu_plugin_insn *insn, qemu_plugin_executed cb, int flags, void *data);
size_t qemu_plugin_tb_n_insns(const qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const qemu_plugin_tb *tb);
qemu_plugin_insn *qemu_plugin_tb_get_insn(const qemu_plugin_tb *tb, size_t index);
const void *qemu_plugin_insn_data(const qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const qemu_plugin_insn *insn);
__attribute__((visibility("default"))) extern int qemu_plugin_version;
__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
							       char **argv);
}

int qemu_plugin_version = 1;

namespace {

constexpr int inline_add_u64 = 0;
constexpr int no_registers = 0;

struct Block {
	uint64_t address, instructions;
	uint64_t count = 0; ///< added to by the generated code
	uint64_t at_start = 0;
};

// QEMU runs all processors in one thread under icount, so nothing here needs a lock.
std::deque<Block> blocks; ///< their addresses are in generated code: never moved
std::map<std::pair<uint64_t, uint64_t>, Block *> known;
std::string prefix = "profile";
unsigned files;

void on_start(unsigned, void *)
{
	for (Block &b : blocks)
		b.at_start = b.count;
}

void on_stop(unsigned, void *)
{
	std::string path = prefix + "." + std::to_string(files++);
	FILE *out = fopen(path.c_str(), "w");
	if (!out) {
		perror(path.c_str());
		return;
	}
	for (const Block &b : blocks)
		if (b.count != b.at_start)
			fprintf(out, "%" PRIx64 " %" PRIu64 " %" PRIu64 "\n", b.address, b.instructions,
				b.count - b.at_start);
	fclose(out);
}

void watch_for_marks(qemu_plugin_insn *insn)
{
	static const uint8_t mark[] = {0x0f, 0x1f, 0x80, 'L', 'I', 'O'};
	auto *bytes = static_cast<const uint8_t *>(qemu_plugin_insn_data(insn));

	if (qemu_plugin_insn_size(insn) != sizeof(mark) + 1 || memcmp(bytes, mark, sizeof(mark)))
		return;
	qemu_plugin_executed cb = bytes[6] == 1 ? on_start : bytes[6] == 2 ? on_stop : nullptr;
	if (cb)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, cb, no_registers, nullptr);
}

void on_translation(qemu_plugin_id_t, qemu_plugin_tb *tb)
{
	uint64_t address = qemu_plugin_tb_vaddr(tb), instructions = qemu_plugin_tb_n_insns(tb);
	Block *&block = known[{address, instructions}];

	if (!block)
		block = &blocks.emplace_back(Block{address, instructions});
	qemu_plugin_register_vcpu_tb_exec_inline(tb, inline_add_u64, &block->count, 1);
	for (size_t n = 0; n < instructions; n++)
		watch_for_marks(qemu_plugin_tb_get_insn(tb, n));
}

} // namespace

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *, int argc, char **argv)
{
	for (int n = 0; n < argc; n++)
		if (!strncmp(argv[n], "prefix=", 7))
			prefix = argv[n] + 7;
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
	return 0;
}
