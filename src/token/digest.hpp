#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace api_token {

using Sha256 = std::array<std::uint8_t, 32>;

/// SHA-256 (FIPS 180-4). Nothing when OpenSSL fails.
std::optional<Sha256> sha256(std::string_view bytes);

/// Lower-case hexadecimal.
std::array<char, 64> hex(const Sha256& digest);

/// 80 random bits for a PFID, drawn from OpenSSL many at a time. Nothing when OpenSSL fails. Not to be called
/// before a fork.
std::optional<std::array<std::uint8_t, 10>> draw_randomness();

} // namespace api_token
