#include "test_attacks.hpp"

using namespace api_token;

namespace {

/// RFC 8725 §2.6: one text has one meaning.
void test_json(void**)
{
    const std::string good = account_claims().text();
    const std::string inside = good.substr(1);
    const std::string bad[] = {
        R"({"sub":"x",)" + inside,
        R"({"exp":9000000000,)" + inside,
        R"({"\u0065xp":9000000000,)" + inside,
        R"({"x":{"a":1,"\u0061":2},)" + inside,
        R"({"a\u0000b":1,)" + inside,
        "{\"x\":\"a" + std::string(1, '\0') + "b\"," + inside,
        "\xef\xbb\xbf" + good,
        good + "x",
        good + good,
        good + std::string(1, '\0'),
        "[" + good + "]",
        "{\"x\":\"\xc0\xaf\"," + inside,
        "{\"x\":\"\xed\xa0\x80\"," + inside,
        "{\"x\":\"\xff\"," + inside,
        R"({"x":"\ud800",)" + inside,
        R"({"x":"\udc00\ud800",)" + inside,
        R"({"x":1e400,)" + inside,
        R"({"x":NaN,)" + inside,
        R"({"x":01,)" + inside,
        R"({'x':1,)" + inside,
        R"({/**/)" + inside,
        good.substr(0, good.size() - 1) + ",}",
        good.substr(0, good.size() - 1),
        "null",
        "1",
        "\"x\"",
        "[]",
        " ",
    };
    for (const std::string& claims : bad) {
        attack(rsa_with_claims(claims), "malformed");
    }
    std::string wide;
    for (const char character : good) {
        wide.append(1, character).append(1, '\0');
    }
    attack(rsa_with_claims(wide), "malformed");
    for (const std::string& claims :
         {" \r\n" + good + "\n", R"({"x":"a\u0000b",)" + inside, R"({"x":18446744073709551615,)" + inside}) {
        assert_text(server().check(rsa_with_claims(claims)), "passes");
    }
}

void test_json_of_headers(void**)
{
    const std::string bad[] = {R"({"alg":"RS256","alg":"none"})",
                               R"({"alg":"none","alg":"RS256"})",
                               R"({"alg":"RS256","\u0061lg":"RS256"})",
                               R"({"alg":"RS256","kid":"a","kid":"a"})",
                               R"(["alg","RS256"])",
                               R"("RS256")",
                               "RS256",
                               "\xef\xbb\xbf{\"alg\":\"RS256\"}",
                               R"({"alg":"RS256"}{})",
                               R"({"alg":"RS256")",
                               "{\"alg\":\"RS256\",\"x\":\"\xff\"}",
                               R"({"alg":"RS256","x":1e999})"};
    for (const std::string& header : bad) {
        attack(rsa_with_header(header), "malformed");
    }
}

std::string nested(std::size_t depth)
{
    return std::string(depth, '[') + std::string(depth, ']');
}

/// jansson's limit is 2,048, with the object around.
void test_nesting(void**)
{
    const std::string inside = account_claims().text().substr(1);
    assert_text(server().check(rsa_with_claims("{\"x\":" + nested(2047) + "," + inside)), "passes");
    attack(rsa_with_claims("{\"x\":" + nested(2048) + "," + inside), "malformed");
    attack(rsa_with_claims("{\"x\":" + std::string(4500, '[')), "malformed");
    assert_text(server().check(rsa_with_header("{\"alg\":\"RS256\",\"x\":" + nested(2047) + "}")), "passes");
    attack(rsa_with_header("{\"alg\":\"RS256\",\"x\":" + nested(2048) + "}"), "malformed");
    attack(rsa_with_header(std::string(5000, '{')), "malformed");
}

/// Rightly signed, of the wrong kind.
void test_claims_of_the_wrong_kind(void**)
{
    const std::string long_text = '"' + std::string(65536, 'x') + '"';
    const std::string wrong[] = {"",
                                 "0",
                                 "1",
                                 "-1",
                                 "1.5",
                                 "true",
                                 "null",
                                 "[]",
                                 "{}",
                                 R"(["013xrzp12g3nqk8ngskn1wtxgka5b0nf"])",
                                 R"({"a":"013xrzp12g3nqk8ngskn1wtxgka5b0nf"})",
                                 "\"\"",
                                 "\"x\"",
                                 long_text,
                                 R"("013xrzp12g3nqk8ngskn1wtxgka5b0n")",
                                 R"("013xrzp12g3nqk8ngskn1wtxgka5b0nff")",
                                 R"("013XRZP12G3NQK8NGSKN1WTXGKA5B0NF")",
                                 R"("813xrzp12g3nqk8ngskn1wtxgka5b0nf")",
                                 R"("013xrzp12g3nqk8ngskn1wtxgka5b0nu")",
                                 R"(" 13xrzp12g3nqk8ngskn1wtxgka5b0nf")",
                                 R"("013xrzp12g3nqk8ngskn1wtxgka5b0n\n")"};
    for (const char* member : {"sub", "jti", "token_scope"}) {
        for (const std::string& value : wrong) {
            const auto claims = account_claims().with(member, value).text();
            assert_row(server().check(rsa_with_claims(claims)) == "malformed", claims.substr(0, 300));
            assert_unharmed(value.substr(0, 40));
        }
    }
    for (const std::string& value : wrong) {
        const auto claims = environment_claims().with("environment_id", value).text();
        assert_row(server().check(rsa_with_claims(claims)) == "malformed", claims.substr(0, 300));
        const auto sub = admin_claims().with("sub", value).text();
        assert_row(server().check_admin(rsa_with_claims(sub)) == "malformed", sub.substr(0, 300));
        const auto acting = admin_claims().with("account_id", value).text();
        assert_row(server().check_admin(rsa_with_claims(acting)) == (value.empty() ? "passes" : "malformed"),
                   acting.substr(0, 300));
        assert_unharmed(value.substr(0, 40));
    }
}

void test_issuer_and_audience_of_the_wrong_kind(void**)
{
    const std::string long_text = '"' + std::string(65536, 'x') + '"';
    for (const std::string& value :
         {std::string(), std::string("1"), std::string("null"), std::string("true"), std::string("[]"),
          std::string("{}"), std::string("[1]"), std::string("[null]"), std::string("[[\"api\"]]"),
          std::string("\"apix\""), std::string("\"ap\""), std::string("[\"api\",null]"),
          std::string("{\"api\":1}")}) {
        attack(rsa_with_claims(account_claims().with("aud", value).text()), "audience");
        attack(rsa_with_claims(account_claims().with("iss", value).text()), "issuer");
    }
    attack(rsa_with_claims(account_claims().with("aud", long_text).text()), "malformed");
    attack(rsa_with_claims(account_claims().with("iss", long_text).text()), "malformed");
}

/// In no form is an `exp` no expiry.
void test_exp(void**)
{
    for (const char* value : {"\"1900000000\"", "true", "false", "null", "", "[]", "{}", "[1900000000]",
                              "9007199254740993", "9223372036854775807", "1e300", "-1e300"}) {
        attack(rsa_with_claims(account_claims().with("exp", value).text()), "malformed");
    }
    for (const char* value : {"-1", "0", "1", "1.7e9", "-1e-300", "1800000000.999999", "-9007199254740992"}) {
        attack(rsa_with_claims(account_claims().with("exp", value).text()), "expired");
    }
    for (const char* value : {"1.9e9", "1900000000.0", "19e8", "1900000000.999"}) {
        assert_text(server().check(rsa_with_claims(account_claims().with("exp", value).text())), "passes");
    }
    const std::string head = account_claims().with("exp", "").text();
    for (const char* value : {"9223372036854775808", "1e400", "-1e400", "NaN", "Infinity", "+1900000000",
                              "0x7fffffff", "1_900_000_000", "1900000000.", ".5", "1900000000 1"}) {
        attack(rsa_with_claims(head.substr(0, head.size() - 1) + ",\"exp\":" + value + "}"), "malformed");
    }
}

void test_nbf(void**)
{
    for (const char* value : {"1800000001", "1.9e9", "1800000001.5", "9007199254740992"}) {
        attack(rsa_with_claims(account_claims().with("nbf", value).text()), "early");
    }
    for (const char* value : {"\"1\"", "true", "null", "[]", "{}", "1e300", "9007199254740993"}) {
        attack(rsa_with_claims(account_claims().with("nbf", value).text()), "malformed");
    }
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_json_of_headers),
        cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_claims_of_the_wrong_kind),
        cmocka_unit_test(test_issuer_and_audience_of_the_wrong_kind),
        cmocka_unit_test(test_exp),
        cmocka_unit_test(test_nbf),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
