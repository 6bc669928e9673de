#include "cmocka.hpp"

#include "token/base64url.hpp"

#include <algorithm>
#include <vector>

using namespace api_token;
using namespace std::string_view_literals;

namespace {

std::string encoded(std::string_view bytes)
{
    std::string out(base64url_length(bytes.size()), '?');
    assert_int_equal(base64url_encode(bytes, out.data()), out.size());
    return out;
}

std::optional<std::string> decoded(std::string_view text, std::size_t room = 256)
{
    std::vector<char> out(room);
    const auto bytes = base64url_decode(text, out);
    return bytes ? std::optional<std::string>(*bytes) : std::nullopt;
}

void known_pairs(void**)
{
    const std::pair<std::string_view, std::string_view> rows[] = {
        {"", ""},
        {"f", "Zg"},
        {"fo", "Zm8"},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg"},
        {"fooba", "Zm9vYmE"},
        {"foobar", "Zm9vYmFy"},
        {"\0"sv, "AA"},
        {"\xfb\xff"sv, "-_8"},
        {"\xff\xff\xff"sv, "____"},
        {R"({"alg":"HS256","typ":"JWT"})", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"},
    };
    for (const auto& [bytes, text] : rows) {
        assert_text(encoded(bytes), text);
        assert_row(decoded(text) == bytes, text);
    }
}

void one_text_for_each_pair_of_bytes(void**)
{
    for (int code = 0; code < 0x10000; ++code) {
        const char bytes[] = {static_cast<char>(code >> 8), static_cast<char>(code)};
        const std::string text = encoded({bytes, 2});
        assert_row(decoded(text) == std::string_view(bytes, 2), text);
    }
}

void only_canonical_texts(void**)
{
    const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (std::size_t length = 0; length <= 9; ++length) {
        for (std::size_t at = 0; at < length; ++at) {
            for (int code = 0; code < 256; ++code) {
                std::string text(length, 'A');
                text[at] = static_cast<char>(code);
                const auto bytes = decoded(text);
                const bool digit = alphabet.find(text[at]) != std::string::npos;
                assert_row(!bytes || (digit && encoded(*bytes) == text), text);
                const bool free_bits = at + 1 < length || length % 4 == 0;
                assert_row(!(digit && free_bits && length % 4 != 1) || bytes.has_value(), text);
            }
        }
    }
}

void refused(void**)
{
    for (const auto text : {"A"sv, "AAAAA"sv, "AB"sv, "AAB"sv, "AA=="sv, "AAA="sv, "AAAA===="sv, "AA A"sv,
                            "AAAA\n"sv, "AAA+"sv, "AAA/"sv, "AA\0A"sv, "AAA\xc3"sv}) {
        assert_row(!decoded(text).has_value(), text);
    }
}

void room(void**)
{
    const std::string bytes(20, 'x');
    for (std::size_t length = 0; length <= bytes.size(); ++length) {
        const std::string text = encoded(bytes.substr(0, length));
        for (std::size_t room = 0; room <= bytes.size(); ++room) {
            assert_int_equal(decoded(text, room).has_value(), room >= length);
        }
    }
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        cmocka_unit_test(known_pairs), cmocka_unit_test(one_text_for_each_pair_of_bytes),
        cmocka_unit_test(only_canonical_texts), cmocka_unit_test(refused), cmocka_unit_test(room)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
