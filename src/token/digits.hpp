#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace api_token {

inline constexpr std::uint8_t no_digit = 0x80;

/// The place of each character in an alphabet of up to 128; no_digit where it has none.
constexpr std::array<std::uint8_t, 256> values_of_digits(std::string_view alphabet)
{
    std::array<std::uint8_t, 256> values{};
    values.fill(no_digit);
    for (std::size_t i = 0; i < alphabet.size(); ++i) {
        values[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint8_t>(i);
    }
    return values;
}

} // namespace api_token
