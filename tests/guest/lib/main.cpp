// SPDX-License-Identifier: GPL-2.0
#include "test_env.hpp"

int main(int argc, char **argv)
{
	return lio::test::run_tests(argc, argv);
}
