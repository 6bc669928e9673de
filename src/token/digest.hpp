#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>

namespace api_token {

using Sha256 = std::array<std::uint8_t, 32>;

/// SHA-256 (FIPS 180-4) of the texts one behind the other. Nothing when OpenSSL fails.
std::optional<Sha256> sha256(std::initializer_list<std::string_view> texts);
inline std::optional<Sha256> sha256(std::string_view text)
{
    return sha256({text});
}

inline std::string_view view(const Sha256& digest)
{
    return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

/// Lower-case hexadecimal.
std::array<char, 64> hex(const Sha256& digest);

/// 80 random bits for a PFID, drawn from OpenSSL many at a time. Nothing when OpenSSL fails. Not to be called
/// before a fork.
std::optional<std::array<std::uint8_t, 10>> draw_randomness();

} // namespace api_token
