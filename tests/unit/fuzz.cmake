# SPDX-License-Identifier: GPL-2.0
# Fuzzers. A target is a source file with LLVMFuzzerTestOneInput(), a corpus of inputs worth keeping
# (crash-*: what once went wrong) and a ctest entry TARGET: libFuzzer where there is clang, whatever
# compiles the rest; else random inputs.

include_guard(GLOBAL)
set(lio_fuzz_dir ${CMAKE_CURRENT_LIST_DIR} CACHE INTERNAL "")
set(lio_fuzz_sanitize -fsanitize=address,undefined -fno-sanitize-recover=all CACHE INTERNAL "")
find_program(LIO_CLANGXX NAMES clang++-14 clang++)
if(NOT LIO_CLANGXX)
	message(STATUS "no clang: the fuzzers get random inputs, which nothing guides")
endif()

# OUT GUIDED FLAGS SOURCES...: objects made by clang. GUIDED: their branches guide the fuzzer.
function(lio_fuzz_objects out directory guided flags c_options)
	set(objects)
	foreach(source ${ARGN})
		get_filename_component(source ${source} ABSOLUTE)
		get_filename_component(name ${source} NAME)
		set(object ${CMAKE_CURRENT_BINARY_DIR}/fuzz/${directory}/${name}.o)
		if(source MATCHES "\\.c$")
			set(language -x c ${c_options})
		else()
			set(language -std=c++20)
		endif()
		if(guided)
			list(APPEND language -fsanitize-coverage=inline-8bit-counters,pc-table)
		endif()
		add_custom_command(OUTPUT ${object} DEPENDS ${source} DEPFILE ${object}.d
			COMMAND ${LIO_CLANGXX} ${language} ${flags} -MD -MF ${object}.d -MT ${object}
				-c ${source} -o ${object}
			COMMENT "Fuzzer ${directory}: ${name}" COMMAND_EXPAND_LISTS VERBATIM)
		list(APPEND objects ${object})
	endforeach()
	file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/fuzz/${directory})
	set(${out} ${objects} PARENT_SCOPE)
endfunction()

# What targets have in common: NAME GUIDED sources under test [PLAIN others] [INCLUDES dirs]
# [FLAGS for all] [C_OPTIONS for .c] [LINK libraries]
function(lio_fuzz_library name)
	cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "GUIDED;PLAIN;INCLUDES;FLAGS;C_OPTIONS;LINK")
	set(plain ${arg_PLAIN} ${lio_fuzz_dir}/fuzz_asan.cpp ${lio_fuzz_dir}/../guest/lib/seed.cpp)
	list(APPEND arg_INCLUDES ${lio_fuzz_dir} ${lio_fuzz_dir}/../guest/lib)
	if(LIO_CLANGXX)
		set(flags -g -O2 -Wall -Wextra ${arg_FLAGS} ${lio_fuzz_sanitize})
		foreach(dir ${arg_INCLUDES})
			get_filename_component(dir ${dir} ABSOLUTE)
			list(APPEND flags -I${dir})
		endforeach()
		lio_fuzz_objects(guided ${name} TRUE "${flags}" "${arg_C_OPTIONS}" ${arg_GUIDED})
		lio_fuzz_objects(plain_objects ${name} FALSE "${flags}" "${arg_C_OPTIONS}" ${plain})
		# Targets depend on each other through this alone: two must not make one object at once.
		add_custom_target(${name}_objects DEPENDS ${guided} ${plain_objects})
		set_target_properties(${name}_objects PROPERTIES
			lio_objects "${guided};${plain_objects}" lio_flags "${flags}" lio_link "${arg_LINK}")
	endif()
	add_library(${name} OBJECT EXCLUDE_FROM_ALL ${arg_GUIDED} ${plain})
	target_include_directories(${name} PUBLIC ${arg_INCLUDES})
	target_compile_options(${name} PUBLIC ${arg_FLAGS} ${lio_fuzz_sanitize}
		PRIVATE "$<$<COMPILE_LANGUAGE:C>:${arg_C_OPTIONS}>")
	target_link_options(${name} PUBLIC ${lio_fuzz_sanitize})
	target_link_libraries(${name} PUBLIC Threads::Threads ${arg_LINK})
endfunction()

# NAME_fuzz: NAME LIBRARY of lio_fuzz_library() SOURCES... RUNS in the check tier and in the long one
# MAX_LEN of inputs CORPUS directory [RANDOM: NAME_random beside libFuzzer]
function(lio_fuzz_target name)
	cmake_parse_arguments(PARSE_ARGV 1 arg "RANDOM" "LIBRARY;MAX_LEN;CORPUS" "SOURCES;RUNS")
	list(GET arg_RUNS 0 check)
	list(GET arg_RUNS 1 long)
	set(budget -DFUZZ_CHECK_RUNS=${check} -DFUZZ_LONG_RUNS=${long} -DFUZZ_MAX_LEN=${arg_MAX_LEN})
	if(arg_RANDOM OR NOT LIO_CLANGXX)
		add_executable(${name}_random ${arg_SOURCES} ${lio_fuzz_dir}/fuzz_random.cpp)
		target_compile_options(${name}_random PRIVATE ${budget})
		target_link_libraries(${name}_random PRIVATE ${arg_LIBRARY})
	endif()
	set(tests)
	if(arg_RANDOM AND LIO_CLANGXX)
		add_test(NAME ${name}_random COMMAND ${name}_random)
		list(APPEND tests ${name}_random)
	endif()
	if(LIO_CLANGXX)
		lio_fuzz_program(${name} ${arg_LIBRARY} "${budget}" ${arg_SOURCES})
		# What it finds goes to the first directory.
		set(found ${CMAKE_CURRENT_BINARY_DIR}/corpus/${name}_fuzz)
		file(MAKE_DIRECTORY ${found})
		add_test(NAME ${name}_fuzz COMMAND ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/${name}_fuzz ${found}
			${arg_CORPUS} WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
	else()
		add_test(NAME ${name}_fuzz COMMAND ${name}_random ${arg_CORPUS})
	endif()
	set_tests_properties(${tests} ${name}_fuzz PROPERTIES TIMEOUT 14400)
endfunction()

function(lio_fuzz_program name library budget)
	foreach(property objects flags link)
		get_target_property(${property} ${library}_objects lio_${property})
		if(NOT ${property})
			set(${property})
		endif()
	endforeach()
	lio_fuzz_objects(own ${name}_fuzz FALSE "${flags};${budget}" "" ${ARGN} ${lio_fuzz_dir}/fuzz_args.cpp)
	set(program ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/${name}_fuzz)
	add_custom_command(OUTPUT ${program} DEPENDS ${objects} ${own}
		COMMAND ${LIO_CLANGXX} -fsanitize=address,undefined,fuzzer ${objects} ${own} -o ${program} ${link})
	add_custom_target(${name}_fuzz ALL DEPENDS ${program})
	add_dependencies(${name}_fuzz ${library}_objects)
endfunction()
