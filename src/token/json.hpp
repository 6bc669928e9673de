#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string_view>

#include <jansson.h>

namespace api_token {

struct JsonRelease {
    void operator()(json_t* value) const { json_decref(value); }
};

/// An owned JSON value; null where there is none.
using Json = std::unique_ptr<json_t, JsonRelease>;

/// Parses RFC 8259 text whose top is an object. Null for anything else: a duplicate member, invalid UTF-8,
/// NUL in a member's name, a byte order mark, a number over a double or whose digits or exponent alone are
/// (0e309), nesting over 2,048, text behind it. An integer over 64 bits is a real.
Json parse_json_object(std::string_view text);

/// Whether `text` is a JSON object without a member.
bool is_empty_object(std::string_view text);

struct JsonTextRelease {
    void operator()(char* text) const { std::free(text); }
};

/// Compact JSON text of a value; null when there is no memory.
std::unique_ptr<char, JsonTextRelease> dump(const json_t* value);

/// The text of a JSON string, empty for another value.
std::string_view json_text(const json_t* value);

/// Whether `text` is valid UTF-8, as a JSON string must be.
bool is_utf8(std::string_view text);

/// Appends JSON to memory of its caller. A piece that does not fit is left out with all behind it, and
/// overflowed() says so.
class Writer {
public:
    explicit Writer(std::span<char> memory) : at_(memory.data()), begin_(at_), end_(at_ + memory.size()) {}

    /// As it is.
    Writer& raw(std::string_view text);
    /// A quoted string, escaped as RFC 8259 §7 asks.
    Writer& string(std::string_view text);
    /// A quoted string, or null where it is empty.
    Writer& string_or_null(std::string_view text);
    Writer& number(std::int64_t value);

    bool overflowed() const { return overflowed_; }
    std::string_view view() const { return {begin_, static_cast<std::size_t>(at_ - begin_)}; }

private:
    char* at_;
    char* begin_;
    char* end_;
    bool overflowed_ = false;
};

} // namespace api_token
