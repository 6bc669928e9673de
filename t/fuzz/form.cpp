#include "fuzz.hpp"

#include "token/form.hpp"

#include <vector>

using fuzz::must;

namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

Pairs read(std::string_view text)
{
    Pairs pairs;
    while (const auto pair = api_token::next_pair(text)) {
        pairs.emplace_back(pair->name, pair->value);
    }
    must(text.empty());
    return pairs;
}

std::string escape_all(std::string_view bytes)
{
    constexpr std::string_view hex = "0123456789aBcDeF";
    std::string text;
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        text.append({'%', hex[byte >> 4], hex[byte & 15]});
    }
    return text;
}

bool is_hexadecimal(std::string_view text)
{
    return text.find_first_not_of("0123456789abcdefABCDEF") == text.npos;
}

bool is_decodable(std::string_view text)
{
    for (auto at = text.find('%'); at != text.npos; at = text.find('%', at + 3)) {
        if (text.size() - at < 3 || !is_hexadecimal(text.substr(at + 1, 2))) {
            return false;
        }
    }
    return true;
}

void check_decoding(std::string_view encoded)
{
    // of its exact size, so that a step over its end is seen
    const std::vector<char> copy(encoded.begin(), encoded.end());
    const std::string_view text(copy.data(), copy.size());
    std::vector<char> out(text.size());
    const auto bytes = api_token::form_decode(text, out);
    must(bytes.has_value() == is_decodable(text));
    if (!bytes) {
        return;
    }
    const std::string escaped = escape_all(*bytes);
    std::vector<char> exact(bytes->size());
    must(api_token::form_decode(escaped, exact) == bytes);
    if (!exact.empty()) {
        exact.pop_back();
        exact.shrink_to_fit();
        must(!api_token::form_decode(text, exact));
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const Pairs pairs = read({reinterpret_cast<const char*>(data), size});
    std::string again;
    for (const auto& [name, value] : pairs) {
        must(name.find_first_of("&=") == name.npos && value.find('&') == value.npos);
        check_decoding(name);
        check_decoding(value);
        again += "&" + name + "=" + value;
    }
    must(read(again) == pairs);
    return 0;
}
