#include "base64url.hpp"

#include "digits.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace api_token {

namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr auto digit_values = values_of_digits(alphabet);

std::uint32_t byte_at(std::string_view text, std::size_t at)
{
    return static_cast<unsigned char>(text[at]);
}

/// Four digits of 24 bits.
std::array<char, 4> digits_of(std::uint32_t bits)
{
    return {alphabet[bits >> 18], alphabet[bits >> 12 & 63], alphabet[bits >> 6 & 63], alphabet[bits & 63]};
}

/// Up to three bytes from the top of 24 bits.
void put_bytes(char* out, std::uint32_t bits, std::size_t count)
{
    for (std::size_t i = 0; i < count; ++i) {
        out[i] = static_cast<char>(bits >> (16 - 8 * i));
    }
}

/// The 24 bits of up to four digits, the missing ones as zero. Leaves no_digit in `seen` for a character that
/// is none.
std::uint32_t read_digits(std::string_view digits, std::uint32_t& seen)
{
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < digits.size(); ++i) {
        const std::uint32_t value = digit_values[byte_at(digits, i)];
        seen |= value;
        bits |= value << (18 - 6 * i);
    }
    return bits;
}

} // namespace

std::size_t base64url_encode(std::string_view bytes, char* out)
{
    const char* const begin = out;
    for (; bytes.size() >= 3; bytes.remove_prefix(3), out += 4) {
        const auto digits = digits_of(byte_at(bytes, 0) << 16 | byte_at(bytes, 1) << 8 | byte_at(bytes, 2));
        std::memcpy(out, digits.data(), digits.size());
    }
    if (!bytes.empty()) {
        const std::uint32_t second = bytes.size() == 2 ? byte_at(bytes, 1) : 0;
        const auto digits = digits_of(byte_at(bytes, 0) << 16 | second << 8);
        out = std::copy_n(digits.data(), bytes.size() + 1, out);
    }
    return static_cast<std::size_t>(out - begin);
}

std::optional<std::string_view> base64url_decode(std::string_view text, std::span<char> out)
{
    const std::size_t rest = text.size() % 4;
    const std::size_t length = text.size() / 4 * 3 + (rest == 0 ? 0 : rest - 1);
    if (rest == 1 || length > out.size()) {
        return std::nullopt;
    }
    std::uint32_t seen = 0;
    char* to = out.data();
    for (; text.size() >= 4; text.remove_prefix(4), to += 3) {
        put_bytes(to, read_digits(text.substr(0, 4), seen), 3);
    }
    if (rest != 0) {
        const std::uint32_t bits = read_digits(text, seen);
        const std::uint32_t unused = rest == 2 ? 0xffff : 0xff;
        if ((bits & unused) != 0) {
            return std::nullopt;
        }
        put_bytes(to, bits, rest - 1);
    }
    if (seen >= no_digit) {
        return std::nullopt;
    }
    return std::string_view(out.data(), length);
}

} // namespace api_token
