#include "cmocka.hpp"

#include "token/json.hpp"

#include <functional>
#include <vector>

using namespace api_token;
using namespace std::string_view_literals;

namespace {

std::string written(const std::function<void(Writer&)>& write, std::size_t room = 4096)
{
    std::vector<char> memory(room);
    Writer out(memory);
    write(out);
    assert_false(out.overflowed());
    return std::string(out.view());
}

std::string nested(std::size_t depth)
{
    return R"({"a":)" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
}

void objects(void**)
{
    const std::string deepest = nested(2048);
    for (const auto text : {"{}"sv, " \t\r\n{ } \n"sv, R"({"a":null,"b":[{"a":1}]})"sv, R"({"a":1.9e9})"sv,
                            R"({"a":9223372036854775808})"sv, R"({"a":"\ud83d\ude00"})"sv,
                            R"({"":[-0,-1.5E+2,1e-400]})"sv, std::string_view(deepest)}) {
        assert_row(parse_json_object(text) != nullptr, text);
    }
}

void no_objects(void**)
{
    const std::string too_deep = nested(2049);
    const std::string_view rows[] = {"",
                                     " ",
                                     "[]",
                                     "[{}]",
                                     "null",
                                     "1",
                                     "\"a\"",
                                     "{",
                                     "{}}",
                                     "{}{}",
                                     "{} x",
                                     "{}\0"sv,
                                     "{},",
                                     "\xef\xbb\xbf{}",
                                     "{a:1}",
                                     "{'a':1}",
                                     R"({"a":1,})",
                                     R"({"a":1,"a":1})",
                                     R"({"a":1,"\u0061":2})",
                                     R"({"b":{"a":1,"a":1}})",
                                     R"({"a\u0000b":1})",
                                     "{\"a\":\"\0\"}"sv,
                                     "{\"a\":1\0}"sv,
                                     "{\"a\":[7\0]}"sv,
                                     "{\"a\":\"\n\"}",
                                     "{\"a\":\"\xc0\xaf\"}",
                                     "{\"a\":\"\xed\xa0\x80\"}",
                                     "{\"a\":\"\xff\"}",
                                     R"({"a":"\ud800"})",
                                     R"({"a":"\udc00\ud800"})",
                                     R"({"a":1e400})",
                                     R"({"a":1.8e308})",
                                     R"({"a":0e309})",
                                     R"({"a":1.})",
                                     R"({"a":-})",
                                     R"({"a":01})",
                                     R"({"a":NaN})",
                                     R"({"a":tru})",
                                     "{/**/}",
                                     too_deep};
    for (const auto text : rows) {
        assert_row(parse_json_object(text) == nullptr, text);
    }
    assert_null(parse_json_object({}).get());
}

void values(void**)
{
    const Json object = parse_json_object(
        R"({"\u00e9\/":"\"\\\b\f\n\r\t\ud83d\ude00","b":[null,true,[],{"c":{}}],"n":[-12,0.5,1e-400,-0],
            "i":[9223372036854775807,-9223372036854775808,9223372036854775808,-9223372036854775809]})");
    const auto text = dump(object.get());
    assert_text(
        text.get(),
        R"({"é/":"\"\\\b\f\n\r\t😀","b":[null,true,[],{"c":{}}],"n":[-12,0.5,0.0,0],)"
        R"("i":[9223372036854775807,-9223372036854775808,9.2233720368547758e18,-9.2233720368547758e18]})");
}

void text_of_a_string_alone(void**)
{
    const Json object =
        parse_json_object(R"({"s":"a\"é","nul":"a\u0000b","e":"","n":1,"z":null,"o":{},"a":["x"],"t":true})");
    assert_text(json_text(json_object_get(object.get(), "s")), "a\"é");
    assert_text(json_text(json_object_get(object.get(), "nul")), "a\0b"sv);
    for (const char* member : {"e", "n", "z", "o", "a", "t", "missing"}) {
        assert_text(json_text(json_object_get(object.get(), member)), "");
    }
    assert_text(json_text(nullptr), "");
}

void strings(void**)
{
    const std::pair<std::string_view, std::string_view> rows[] = {
        {"", R"("")"},
        {"plain text, longer than a word", R"("plain text, longer than a word")"},
        {"\"", R"("\"")"},
        {"\\", R"("\\")"},
        {"a\"b\\c/d", R"("a\"b\\c/d")"},
        {"\b\f\n\r\t", R"("\b\f\n\r\t")"},
        {"\0\x01\x1f"sv, R"("\u0000\u0001\u001f")"},
        {"01234567\n", R"("01234567\n")"},
        {"0123456\n89012345", R"("0123456\n89012345")"},
        {"\x7f é € 😀", "\"\x7f é € 😀\""},
    };
    for (const auto& [text, expected] : rows) {
        assert_text(written([&text = text](Writer& out) { out.string(text); }), expected);
    }
}

void each_character_at_each_place(void**)
{
    for (int code = 0; code < 0x80; ++code) {
        for (std::size_t at = 0; at < 20; ++at) {
            std::string text(20, 'x');
            text[at] = static_cast<char>(code);
            const auto object = written([&](Writer& out) { out.raw("{\"a\":").string(text).raw("}"); });
            const Json read(json_loadb(object.data(), object.size(), JSON_ALLOW_NUL, nullptr));
            assert_true(json_text(json_object_get(read.get(), "a")) == text);
            const bool escaped = code < 0x20 || code == '"' || code == '\\';
            assert_int_equal(object.find('\\') != std::string::npos, escaped);
        }
    }
}

void bytes_beyond_ascii_are_kept(void**)
{
    std::string high;
    for (int code = 0x80; code < 0x100; ++code) {
        high += static_cast<char>(code);
    }
    for (std::size_t from = 0; from < 8; ++from) {
        const std::string text = high.substr(from);
        assert_true(written([&](Writer& out) { out.string(text); }) == "\"" + text + "\"");
    }
}

void numbers(void**)
{
    const std::pair<std::int64_t, std::string_view> rows[] = {{0, "0"},
                                                              {-1, "-1"},
                                                              {1893456000, "1893456000"},
                                                              {INT64_MAX, "9223372036854775807"},
                                                              {INT64_MIN, "-9223372036854775808"}};
    for (const auto& [value, expected] : rows) {
        assert_text(written([&value = value](Writer& out) { out.number(value); }), expected);
    }
}

void null_for_an_empty_string(void**)
{
    const auto text =
        written([](Writer& out) { out.string_or_null({}).raw(",").string_or_null("a").raw({}); });
    assert_text(text, R"(null,"a")");
}

void utf8_alone(void**)
{
    assert_true(api_token::is_utf8("a\u00e9\u20ac\U0001f600"));
    assert_true(api_token::is_utf8(""));
    assert_true(api_token::is_utf8({}));
    assert_false(api_token::is_utf8("a\xff"));
    assert_false(api_token::is_utf8("\xc3"));
}

void overflow_at_each_place(void**)
{
    const auto write = [](Writer& out) {
        out.raw("{\"a\":")
            .string("a long text\nwith \x01")
            .raw(",")
            .number(-1234)
            .raw(",")
            .string("")
            .raw("}");
    };
    const std::string whole = written(write);
    assert_text(written(write, whole.size()), whole);
    for (std::size_t room = 0; room < whole.size(); ++room) {
        std::vector<char> memory(room);
        Writer out(memory);
        write(out);
        assert_true(out.overflowed());
        assert_true(whole.starts_with(out.view()));
        out.raw("");
        assert_true(out.overflowed());
    }
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        cmocka_unit_test(objects),
        cmocka_unit_test(no_objects),
        cmocka_unit_test(values),
        cmocka_unit_test(text_of_a_string_alone),
        cmocka_unit_test(strings),
        cmocka_unit_test(each_character_at_each_place),
        cmocka_unit_test(bytes_beyond_ascii_are_kept),
        cmocka_unit_test(numbers),
        cmocka_unit_test(null_for_an_empty_string),
        cmocka_unit_test(utf8_alone),
        cmocka_unit_test(overflow_at_each_place),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
