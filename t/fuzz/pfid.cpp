#include "fuzz.hpp"

#include "token/pfid.hpp"

#include <algorithm>
#include <cstring>

using fuzz::must;

namespace {

constexpr std::string_view digits = "0123456789abcdefghjkmnpqrstvwxyz";

bool is_pfid_by_its_grammar(std::string_view text)
{
    return text.size() == 32 && text.find_first_not_of(digits) == text.npos && text[0] <= '7';
}

std::uint64_t number(std::string_view text)
{
    std::uint64_t bits = 0;
    for (const char digit : text) {
        bits = bits << 5 | digits.find(digit);
    }
    return bits;
}

/// The 80 bits that two halves of eight characters hold.
api_token::Randomness randomness(std::string_view text)
{
    api_token::Randomness bytes;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<std::uint8_t>(number(text.substr(i / 5 * 8, 8)) >> (32 - i % 5 * 8));
    }
    return bytes;
}

void check_text(std::string_view text)
{
    must(api_token::is_pfid(text) == is_pfid_by_its_grammar(text));
    if (api_token::is_pfid(text)) {
        must(api_token::partition_of(text) == number(text.substr(10, 6)));
        const auto again = api_token::make_pfid(number(text.substr(0, 10)), api_token::partition_of(text),
                                                randomness(text.substr(16)));
        must(again.view() == text);
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    check_text({reinterpret_cast<const char*>(data), size});

    struct {
        std::uint64_t milliseconds;
        std::uint32_t partition;
        api_token::Randomness random;
    } given{};
    std::memcpy(&given, data, std::min(size, sizeof(given)));
    const auto pfid = api_token::make_pfid(given.milliseconds, given.partition, given.random);
    must(api_token::is_pfid(pfid.view()));
    must(number(pfid.view().substr(0, 10)) == (given.milliseconds & 0xffffffffffff));
    must(api_token::partition_of(pfid.view()) == (given.partition & 0x3fffffff));
    must(randomness(pfid.view().substr(16)) == given.random);
    return 0;
}
