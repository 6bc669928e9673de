#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace api_token {

/// A PFID: 32 characters of lower-case Crockford base 32; 10 characters of a 48-bit Unix time in ms,
/// 6 of a 30-bit partition, 16 of 80 random bits.
struct Pfid {
    std::array<char, 32> text;

    std::string_view view() const { return {text.data(), text.size()}; }
};

using Randomness = std::array<std::uint8_t, 10>;

/// Whether `text` is ^[0-7][0-9abcdefghjkmnpqrstvwxyz]{31}$.
bool is_pfid(std::string_view text);

/// The partition of a text that is_pfid().
std::uint32_t partition_of(std::string_view pfid);

/// The six characters of the partition of a text that is_pfid().
inline std::string_view partition_text(std::string_view pfid)
{
    return pfid.substr(10, 6);
}

/// `milliseconds` is cut to 48 bits, `partition` to 30.
Pfid make_pfid(std::uint64_t milliseconds, std::uint32_t partition, const Randomness& random);

} // namespace api_token
