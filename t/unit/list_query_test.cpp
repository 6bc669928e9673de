#include "cmocka.hpp"

#include "token/form.hpp"
#include "token/list_query.hpp"

#include <vector>

using namespace api_token;
using namespace std::string_view_literals;

namespace {

#define ACCOUNT "013xrzp12g3nqk8ngskn1wtxgka5b0nf"

void accepted(void**)
{
    struct Row {
        std::string_view query;
        std::string_view account;
        std::string_view order;
        std::int64_t offset;
        std::int64_t page_size;
    };
    const Row rows[] = {
        {"", "", "-inserted_at", 0, 20},
        {"&", "", "-inserted_at", 0, 20},
        {"&&sorting=expires_at&&", "", "expires_at", 0, 20},
        {"account_id=" ACCOUNT, ACCOUNT, "-inserted_at", 0, 20},
        {"account_id=7zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", "7zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", "-inserted_at", 0,
         20},
        {"sorting=inserted_at", "", "inserted_at", 0, 20},
        {"sorting=-inserted_at", "", "-inserted_at", 0, 20},
        {"sorting=expires_at", "", "expires_at", 0, 20},
        {"sorting=-expires_at", "", "-expires_at", 0, 20},
        {"pagination[offset]=0", "", "-inserted_at", 0, 20},
        {"pagination[offset]=1000000000000", "", "-inserted_at", 1000000000000, 20},
        {"pagination[offset]=007", "", "-inserted_at", 7, 20},
        {"pagination[page_size]=1", "", "-inserted_at", 0, 1},
        {"pagination[page_size]=100", "", "-inserted_at", 0, 100},
        // an address bar and curl, URLSearchParams and Python, lower case, everything encoded
        {"pagination[offset]=40&pagination[page_size]=7", "", "-inserted_at", 40, 7},
        {"account_id=" ACCOUNT "&sorting=-expires_at&pagination%5Boffset%5D=40&pagination%5Bpage_size%5D=7",
         ACCOUNT, "-expires_at", 40, 7},
        {"pagination%5boffset%5d=40&pagination%5bpage%5Fsize%5d=%37", "", "-inserted_at", 40, 7},
        {"%73orting=%2Dexpires%5Fat", "", "-expires_at", 0, 20},
        {"%73%6f%72%74%69%6e%67=%69%6e%73%65%72%74%65%64%5f%61%74", "", "inserted_at", 0, 20},
        {"%70agination%5boffset%5D=%31%30", "", "-inserted_at", 10, 20},
        {"account_id=%3013xrzp12g3nqk8ngskn1wtxgka5b0n%66", ACCOUNT, "-inserted_at", 0, 20},
    };
    for (const auto& [text, account, order, offset, page_size] : rows) {
        const auto query = parse_list_query(text);
        assert_row(static_cast<bool>(query), text);
        assert_text(query->account_id(), account);
        assert_text(sorting(*query), order);
        assert_int_equal(query->offset, offset);
        assert_int_equal(query->page_size, page_size);
    }
}

void refused(void**)
{
    constexpr auto unknown = "The query holds a parameter that lists do not have."sv;
    constexpr auto twice = "The query holds a parameter twice."sv;
    constexpr auto account = "account_id must be a valid account id."sv;
    constexpr auto order = "sorting must be inserted_at, -inserted_at, expires_at or -expires_at."sv;
    constexpr auto offset = "pagination[offset] must be a number from 0 on."sv;
    constexpr auto page_size = "pagination[page_size] must be a number from 1 to 100."sv;
    struct Row {
        std::string_view query;
        std::string_view sentence;
    };
    const Row rows[] = {
        {"page=1", unknown},
        {"=", unknown},
        {"=1", unknown},
        {"sortin=inserted_at", unknown},
        {"sorting2=inserted_at", unknown},
        {"Sorting=inserted_at", unknown},
        {"sorting%00=inserted_at", unknown},
        {"+sorting=inserted_at", unknown},
        {"sorting+=inserted_at", unknown},
        {"?sorting=inserted_at", unknown},
        {"offset=1", unknown},
        {"page_size=1", unknown},
        {"pagination=1", unknown},
        {"pagination[]=1", unknown},
        {"pagination[offset=1", unknown},
        {"pagination[Offset]=1", unknown},
        {"pagination.offset=1", unknown},
        {"pagination%5Boffset%5=1", unknown},
        {"pagination%5Boffset%=1", unknown},
        {"pagination%255Boffset%255D=1", unknown},
        {"pagination%5Goffset%5D=1", unknown},
        {"pagination%u005Boffset%5D=1", unknown},
        {"sorting=inserted_at;page=1", order},
        {"sorting=inserted_at&x", unknown},
        {"account_id_account_id_account_id_account_id_account_id=1", unknown},
        {"sorting%3Dinserted_at", unknown},

        {"sorting=inserted_at&sorting=inserted_at", twice},
        {"sorting=inserted_at&sorting=", twice},
        {"sorting=inserted_at&%73orting=inserted_at", twice},
        {"pagination[offset]=1&pagination%5Boffset%5D=1", twice},
        {"account_id=" ACCOUNT "&sorting=inserted_at&account_id=" ACCOUNT, twice},
        {"pagination[page_size]=1&pagination[offset]=1&pagination[page_size]=1", twice},

        {"account_id", account},
        {"account_id=", account},
        {"account_id=any", account},
        {"account_id=null", account},
        {"account_id=013XRZP12G3NQK8NGSKN1WTXGKA5B0NF", account},
        {"account_id=813xrzp12g3nqk8ngskn1wtxgka5b0nf", account},
        {"account_id=013xrzp12g3nqk8ngskn1wtxgka5b0n", account},
        {"account_id=" ACCOUNT "0", account},
        {"account_id=" ACCOUNT "%00", account},
        {"account_id=+13xrzp12g3nqk8ngskn1wtxgka5b0nf", account},
        {"account_id=%013xrzp12g3nqk8ngskn1wtxgka5b0nf", account},
        {"account_id=" ACCOUNT "=", account},

        {"sorting", order},
        {"sorting=", order},
        {"sorting=-", order},
        {"sorting=--inserted_at", order},
        {"sorting=+inserted_at", order},
        {"sorting=%2Binserted_at", order},
        {"sorting=inserted_at+", order},
        {"sorting=inserted_at%00", order},
        {"sorting=Inserted_at", order},
        {"sorting=updated_at", order},
        {"sorting=inserted_at,expires_at", order},
        {"sorting=inserted_at%", order},
        {"sorting=inserted_at%2", order},
        {"sorting=inserted%5", order},
        {"sorting=inserted%5 at", order},
        {"sorting=inserted%-5at", order},

        {"pagination[offset]", offset},
        {"pagination[offset]=", offset},
        {"pagination[offset]=-1", offset},
        {"pagination[offset]=-0", offset},
        {"pagination[offset]=+1", offset},
        {"pagination[offset]=%2B1", offset},
        {"pagination[offset]=1+", offset},
        {"pagination[offset]=1.0", offset},
        {"pagination[offset]=1e3", offset},
        {"pagination[offset]=0x10", offset},
        {"pagination[offset]=9007199254740992", offset},
        {"pagination[offset]=9223372036854775807", offset},
        {"pagination[offset]=9223372036854775808", offset},
        {"pagination[offset]=18446744073709551616", offset},
        {"pagination[offset]=00000000000000000000000000000000000000001", offset},
        {"pagination[offset]=\xd9\xa1", offset},
        {"pagination[offset]=%D9%A1", offset},
        {"pagination[offset]=1%00", offset},

        {"pagination[page_size]", page_size},
        {"pagination[page_size]=", page_size},
        {"pagination[page_size]=0", page_size},
        {"pagination[page_size]=101", page_size},
        {"pagination[page_size]=-1", page_size},
        {"pagination[page_size]=4294967297", page_size},
        {"pagination[page_size]=18446744073709551617", page_size},
        {"pagination[page_size]=all", page_size},

        // the first that is wrong is the one that is told
        {"pagination[offset]=1&pagination[page_size]=x&sorting=x", page_size},
        {"sorting=x&page=1", order},
    };
    for (const auto& [text, sentence] : rows) {
        const auto query = parse_list_query(text);
        assert_row(!query, text);
        assert_row(query.error().sentence == sentence, text);
    }
}

void each_page_size(void**)
{
    for (int number = 0; number <= 300; ++number) {
        const std::string text = "pagination%5Bpage_size%5D=" + std::to_string(number);
        const auto query = parse_list_query(text);
        assert_row(static_cast<bool>(query) == (number >= 1 && number <= 100), text);
        assert_true(!query || query->page_size == number);
    }
}

/// Every value of an escaped byte, in both cases of its digits, and every byte where its digits stand.
void escapes(void**)
{
    const auto decoded = [](const std::string& text) {
        std::array<char, 3> memory;
        const auto read = form_decode(text, memory);
        return read ? std::string(*read) : std::string("refused");
    };
    constexpr std::string_view upper = "0123456789ABCDEF", lower = "0123456789abcdef";
    for (int byte = 0; byte < 256; ++byte) {
        const char c = static_cast<char>(byte);
        for (const auto digits : {upper, lower}) {
            assert_true(decoded({'%', digits[byte >> 4], digits[byte & 15]}) == std::string(1, c));
        }
        const bool is_digit = byte != 0 && (upper.find(c) != upper.npos || lower.find(c) != lower.npos);
        assert_int_equal(decoded({'%', c, '0'}) != "refused", is_digit);
        assert_int_equal(decoded({'%', '0', c}) != "refused", is_digit);
        if (c != '%') {
            assert_true(decoded({c}) == std::string(1, c == '+' ? ' ' : c));
        }
    }
    for (const auto text : {"%", "%4", "a%", "a%4", "%%41", "abcd", "abc%41"}) {
        assert_row(decoded(text) == "refused", text);
    }
    assert_text(decoded("%41%2b+"), "A+ ");
}

void pairs(void**)
{
    std::string_view text = "&&a=1&b&=c&d==e=&&a=%26&";
    const std::vector<std::string> expected = {"a|1", "b|", "|c", "d|=e=", "a|%26"};
    std::vector<std::string> found;
    while (const auto pair = next_pair(text)) {
        found.push_back(std::string(pair->name) + "|" + std::string(pair->value));
    }
    assert_true(found == expected);
    assert_true(text.empty());
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {cmocka_unit_test(accepted), cmocka_unit_test(refused),
                                cmocka_unit_test(each_page_size), cmocka_unit_test(escapes),
                                cmocka_unit_test(pairs)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
