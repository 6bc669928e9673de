#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace api_token {

/// Characters that `bytes` bytes take in base64url without padding (RFC 4648 §5, RFC 7515 §2).
constexpr std::size_t base64url_length(std::size_t bytes)
{
    return (bytes * 4 + 2) / 3;
}

/// Writes base64url_length(bytes.size()) characters to `out`; answers how many.
std::size_t base64url_encode(std::string_view bytes, char* out);

/// Decodes the one canonical spelling: no padding, no white space, no unused bit that is set. Answers what
/// was written, a part of `out`, or nothing for another text or when `out` is too small.
std::optional<std::string_view> base64url_decode(std::string_view text, std::span<char> out);

} // namespace api_token
