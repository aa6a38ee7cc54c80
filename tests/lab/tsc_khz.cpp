// SPDX-License-Identifier: GPL-2.0
// Prints the frequency of this machine's time stamp counter in kHz. A guest under TCG reads the
// same counter; if it measures it while the machine is busy, its clock is wrong by a factor.
#include <x86intrin.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <thread>

namespace {

using Clock = std::chrono::steady_clock;

struct Sample {
	uint64_t ticks;
	Clock::time_point time;
};

/// The one of several whose clock was read in the least time: nobody interrupted it.
Sample take_sample()
{
	Sample best{};
	uint64_t shortest = UINT64_MAX;
	for (int i = 0; i < 1000; i++) {
		uint64_t before = __rdtsc();
		Clock::time_point time = Clock::now();
		uint64_t took = __rdtsc() - before;
		if (took < shortest) {
			shortest = took;
			best = {before + took / 2, time};
		}
	}
	return best;
}

} // namespace

int main()
{
	Sample first = take_sample();
	std::this_thread::sleep_for(std::chrono::milliseconds(200));
	Sample second = take_sample();
	std::chrono::duration<double, std::milli> passed = second.time - first.time;
	printf("%.0f\n", double(second.ticks - first.ticks) / passed.count());
}
