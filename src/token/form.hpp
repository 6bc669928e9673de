#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace api_token {

/// One `name=value` of application/x-www-form-urlencoded text, still encoded.
struct FormPair {
    std::string_view name;
    std::string_view value;
};

/// Takes the first pair off `text`; nothing at its end. Empty pairs are passed over.
std::optional<FormPair> next_pair(std::string_view& text);

/// Decodes a name or a value. Nothing where a % is not followed by two hexadecimal digits, or `out` is too
/// small.
std::optional<std::string_view> form_decode(std::string_view text, std::span<char> out);

} // namespace api_token
