#include "json.hpp"

#include <array>
#include <charconv>
#include <cstring>

namespace api_token {

namespace {

/// What follows the backslash of an escaped character: its letter, 'u' where it has none; else 0.
constexpr auto escapes = [] {
    std::array<char, 256> letters{};
    for (std::size_t i = 0; i < 0x20; ++i) {
        letters[i] = 'u';
    }
    letters['\b'] = 'b';
    letters['\f'] = 'f';
    letters['\n'] = 'n';
    letters['\r'] = 'r';
    letters['\t'] = 't';
    letters['"'] = '"';
    letters['\\'] = '\\';
    return letters;
}();

char escape_of(char character)
{
    return escapes[static_cast<unsigned char>(character)];
}

/// Whether none of eight characters is to be escaped.
bool is_plain(const char* eight)
{
    constexpr std::uint64_t ones = 0x0101010101010101;
    constexpr std::uint64_t high_bits = ones * 0x80;
    std::uint64_t word;
    std::memcpy(&word, eight, sizeof(word));
    const std::uint64_t quotes = word ^ ones * '"';
    const std::uint64_t backslashes = word ^ ones * '\\';
    const std::uint64_t controls = (word - ones * 0x20) & ~word;
    const std::uint64_t zeros = ((quotes - ones) & ~quotes) | ((backslashes - ones) & ~backslashes);
    return ((controls | zeros) & high_bits) == 0;
}

/// Characters before the first that is to be escaped.
std::size_t plain_length(std::string_view text)
{
    std::size_t length = 0;
    while (text.size() - length >= 8 && is_plain(text.data() + length)) {
        length += 8;
    }
    while (length < text.size() && escape_of(text[length]) == 0) {
        ++length;
    }
    return length;
}

void write_escaped(Writer& out, char character)
{
    constexpr std::string_view hex = "0123456789abcdef";
    const char letter = escape_of(character);
    const auto code = static_cast<unsigned char>(character);
    const char text[] = {'\\', letter, '0', '0', hex[code >> 4], hex[code & 15]};
    out.raw({text, letter == 'u' ? sizeof(text) : 2});
}

} // namespace

bool is_empty_object(std::string_view text)
{
    auto object = parse_json_object(text);
    return object && json_object_size(object.get()) == 0;
}

std::unique_ptr<char, JsonTextRelease> dump(const json_t* value)
{
    return std::unique_ptr<char, JsonTextRelease>(json_dumps(value, JSON_COMPACT));
}

bool is_utf8(std::string_view text)
{
    return text.empty() || Json(json_stringn(text.data(), text.size())) != nullptr;
}

std::string_view json_text(const json_t* value)
{
    if (!json_is_string(value)) {
        return {};
    }
    return {json_string_value(value), json_string_length(value)};
}

Writer& Writer::raw(std::string_view text)
{
    if (text.empty()) {
        return *this;
    }
    if (text.size() > static_cast<std::size_t>(end_ - at_)) {
        overflowed_ = true;
        end_ = at_;
        return *this;
    }
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
    return *this;
}

Writer& Writer::string(std::string_view text)
{
    raw("\"");
    for (;;) {
        const std::size_t plain = plain_length(text);
        raw(text.substr(0, plain));
        if (plain == text.size()) {
            return raw("\"");
        }
        write_escaped(*this, text[plain]);
        text.remove_prefix(plain + 1);
    }
}

Writer& Writer::string_or_null(std::string_view text)
{
    return text.empty() ? raw("null") : string(text);
}

Writer& Writer::number(std::int64_t value)
{
    char digits[20];
    const auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
    return raw({digits, static_cast<std::size_t>(end - digits)});
}

} // namespace api_token
