#include "fuzz.hpp"

#include "token/json.hpp"

#include <algorithm>

namespace {

/// Whether a number may have an exponent, or so many digits, that it is refused for them alone.
bool may_be_out_of_range(std::string_view text)
{
    for (std::size_t at = text.find_first_of("eE"); at != text.npos; at = text.find_first_of("eE", at + 1)) {
        const std::size_t digits = text.find_first_not_of('+', at + 1);
        const std::size_t end = text.find_first_not_of("0123456789", digits);
        if (std::min(end, text.size()) - std::min(digits, text.size()) >= 3) {
            return true;
        }
    }
    return text.size() > 300;
}

/// Whether there may be an integer over 64 bits, which jansson refuses.
bool may_be_large(std::string_view text)
{
    constexpr std::string_view digits = "0123456789";
    for (std::size_t at = text.find_first_of(digits); at != text.npos; at = text.find_first_of(digits, at)) {
        const std::size_t end = std::min(text.find_first_not_of(digits, at), text.size());
        if (end - at >= 19) {
            return true;
        }
        at = end;
    }
    return false;
}

} // namespace

/// Reads what jansson reads, to the same values; but no NUL byte, which jansson overlooks behind a number.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const api_token::Json read = api_token::parse_json_object(text);
    const api_token::Json expected(
        json_loadb(text.data(), size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, nullptr));
    if (text.find('\0') != text.npos) {
        fuzz::must(read == nullptr);
    } else if (read == nullptr) {
        fuzz::must(!json_is_object(expected.get()) || may_be_out_of_range(text));
    } else if (expected != nullptr || !may_be_large(text)) {
        fuzz::must(json_equal(read.get(), expected.get()));
    }
    return 0;
}
