#include "form.hpp"

#include <charconv>

namespace api_token {

namespace {

std::string_view take(std::string_view& text, char end)
{
    auto at = text.find(end);
    auto taken = text.substr(0, at);
    text.remove_prefix(at == text.npos ? text.size() : at + 1);
    return taken;
}

bool is_hexadecimal(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

} // namespace

std::optional<FormPair> next_pair(std::string_view& text)
{
    while (!text.empty()) {
        auto pair = take(text, '&');
        if (pair.empty())
            continue;
        auto name = take(pair, '=');
        return FormPair{name, pair};
    }
    return std::nullopt;
}

std::optional<std::string_view> form_decode(std::string_view text, std::span<char> out)
{
    std::size_t size = 0;
    for (std::size_t i = 0; i < text.size(); i++) {
        if (size == out.size())
            return std::nullopt;
        char c = text[i] == '+' ? ' ' : text[i];
        if (c == '%') {
            if (text.size() - i < 3 || !is_hexadecimal(text[i + 1]) || !is_hexadecimal(text[i + 2]))
                return std::nullopt;
            unsigned char byte = 0;
            std::from_chars(text.data() + i + 1, text.data() + i + 3, byte, 16);
            c = static_cast<char>(byte);
            i += 2;
        }
        out[size++] = c;
    }
    return std::string_view(out.data(), size);
}

} // namespace api_token
