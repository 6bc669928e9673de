#pragma once

// cmocka's header has neither extern "C" nor its own includes, and wants these before it.
extern "C" {
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
}

// These names are members of the standard library's classes too.
#undef fail
#undef skip
#undef fail_msg
#define fail_msg(...) (print_error(__VA_ARGS__), print_error("\n"), _fail(__FILE__, __LINE__))

#include <cstdlib>
#include <string>
#include <string_view>

/// Two texts that must be equal; a failure shows both.
inline void assert_text(std::string_view actual, std::string_view expected)
{
    assert_string_equal(std::string(actual).c_str(), std::string(expected).c_str());
    assert_int_equal(actual.size(), expected.size());
}

/// Names the row of a table that a failed assertion belongs to.
inline void assert_row(bool holds, std::string_view row)
{
    if (!holds) {
        fail_msg("row: %.*s", static_cast<int>(row.size()), row.data());
    }
}

/// A file of t/data, wherever the tests run.
inline std::string data_path(std::string_view file)
{
    const char* folder = std::getenv("T_DATA");
    return std::string(folder != nullptr ? folder : "t/data").append("/").append(file);
}
