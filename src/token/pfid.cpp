#include "pfid.hpp"

#include "digits.hpp"

#include <cstddef>

namespace api_token {

namespace {

constexpr std::string_view alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
constexpr auto digit_values = values_of_digits(alphabet);

constexpr std::uint8_t digit_value(char character)
{
    return digit_values[static_cast<unsigned char>(character)];
}

/// Writes the lowest 5 * `count` bits.
void put_digits(char* out, std::size_t count, std::uint64_t bits)
{
    for (std::size_t i = count; i-- > 0; bits >>= 5) {
        out[i] = alphabet[bits & 31];
    }
}

std::uint64_t forty_bits(const std::uint8_t* bytes)
{
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < 5; ++i) {
        bits = bits << 8 | bytes[i];
    }
    return bits;
}

} // namespace

bool is_pfid(std::string_view text)
{
    if (text.size() != 32) {
        return false;
    }
    unsigned seen = 0;
    for (char character : text) {
        seen |= digit_value(character);
    }
    return seen < no_digit && digit_value(text[0]) < 8;
}

std::uint32_t partition_of(std::string_view pfid)
{
    std::uint32_t partition = 0;
    for (char character : partition_text(pfid)) {
        partition = partition << 5 | digit_value(character);
    }
    return partition;
}

Pfid make_pfid(std::uint64_t milliseconds, std::uint32_t partition, const Randomness& random)
{
    constexpr std::uint64_t time_mask = (std::uint64_t{1} << 48) - 1;
    Pfid pfid;
    put_digits(pfid.text.data(), 10, milliseconds & time_mask);
    put_digits(pfid.text.data() + 10, 6, partition);
    put_digits(pfid.text.data() + 16, 8, forty_bits(random.data()));
    put_digits(pfid.text.data() + 24, 8, forty_bits(random.data() + 5));
    return pfid;
}

} // namespace api_token
