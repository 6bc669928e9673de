#include "test_jwt.hpp"

#include <openssl/err.h>

using namespace api_token;

namespace {

/// The keys of a server under attack: one of each family, with and without a kid.
struct Server {
    Key rsa = load_one(Jwk("rsa").text());
    Key ec = load_one(Jwk("es256").with_text("kid", "ec").text());
    Key secret = load_one(Jwk("hs256").with_text("kid", "secret").text());
    Key edwards = load_one(Jwk("eddsa").text());
    std::string valid_rsa = make_jwt(rsa, account_claims().text());
    std::string valid_ec = make_jwt(ec, account_claims().text());
    std::string valid_secret = make_jwt(secret, account_claims().text());
    std::string valid_admin = make_jwt(rsa, admin_claims().text());

    std::string_view check(std::string_view token) const
    {
        return ::check(token, {&rsa, &ec, &secret, &edwards});
    }
    std::string_view check_admin(std::string_view token) const
    {
        return ::check_admin(token, {&rsa, &ec, &secret, &edwards});
    }
};

const Server& server()
{
    static const Server one;
    return one;
}

/// Forged tokens leave nothing behind: what was valid is valid, and OpenSSL's queue is empty.
void assert_unharmed(std::string_view row)
{
    assert_row(ERR_peek_error() == 0, row);
    assert_row(server().check(server().valid_rsa) == "passes", row);
    assert_row(server().check(server().valid_ec) == "passes", row);
    assert_row(server().check(server().valid_secret) == "passes", row);
    assert_row(server().check_admin(server().valid_admin) == "passes", row);
}

/// Refuses `token` with this word, as an API token's and as an admin's.
void attack(std::string_view token, std::string_view verdict)
{
    const std::string shown(token.substr(0, 300));
    const auto is = server().check(token);
    const auto is_for_admin = server().check_admin(token);
    if (is != verdict || is_for_admin != verdict) {
        fail_msg("%s is %s and %s, not %s", shown.c_str(), std::string(is).c_str(),
                 std::string(is_for_admin).c_str(), std::string(verdict).c_str());
    }
    assert_unharmed(token);
}

std::string part(std::string_view token, int number)
{
    for (; number > 0; --number) {
        token.remove_prefix(token.find('.') + 1);
    }
    return std::string(token.substr(0, token.find('.')));
}

/// Signs two parts as they are, however they are spelt.
std::string sign_text(const Key& key, const std::string& header, const std::string& claims)
{
    const std::string input = header + '.' + claims;
    return input + '.' + encode(sign(key, input));
}

std::string rsa_with_header(std::string_view header)
{
    return forge(server().rsa, header, account_claims().text());
}

std::string rsa_with_claims(std::string_view claims)
{
    return forge(server().rsa, R"({"alg":"RS256","typ":"JWT"})", claims);
}

/// RFC 8725 §2.1: no algorithm, in each spelling, with and without a signature of something.
void test_alg_none(void**)
{
    const std::string claims = encode(account_claims().text());
    const std::pair<const char*, const char*> headers[] = {
        {R"({"alg":"none"})", "key"},
        {R"({"alg":"None"})", "key"},
        {R"({"alg":"nOnE","typ":"JWT"})", "key"},
        {R"({"alg":"NONE"})", "key"},
        {R"({"alg":""})", "key"},
        {R"({"alg":"RS256 "})", "key"},
        {R"({"alg":"rs256"})", "key"},
        {R"({"alg":"none","kid":"secret"})", "key"},
        {R"({"typ":"JWT"})", "malformed"},
        {R"({})", "malformed"},
        {R"({"alg":["RS256"]})", "malformed"},
        {R"({"alg":{"a":"RS256"}})", "malformed"},
        {R"({"alg":null})", "malformed"},
        {R"({"alg":0})", "malformed"},
        {R"({"alg":true})", "malformed"},
        {R"({"ALG":"RS256"})", "malformed"},
        {R"({"alg":"RS256\u0000"})", "malformed"},
    };
    for (const auto& [header, verdict] : headers) {
        attack(encode(header) + '.' + claims + '.', verdict);
        attack(encode(header) + '.' + claims + '.' + part(server().valid_rsa, 2), verdict);
        attack(forge(server().rsa, header, account_claims().text()), verdict);
    }
}

/// RFC 8725 §2.1: the public key as the secret of an HMAC.
void test_public_key_as_secret(void**)
{
    const std::string pem_text = pem("rsa_public");
    const std::string body =
        pem_text.substr(pem_text.find('\n'), pem_text.rfind("\n-----END") - pem_text.find('\n'));
    std::string der_text;
    for (const char character : body) {
        if (character != '\n' && character != '=') {
            der_text += character == '+' ? '-' : character == '/' ? '_' : character;
        }
    }
    const std::string secrets[] = {pem_text, pem_text.substr(0, pem_text.size() - 1), decode(der_text),
                                   decode(Jwk("rsa").member("n")), Jwk("rsa").make_public().text()};
    for (const std::string& secret : secrets) {
        for (const char* algorithm : {"HS256", "HS384", "HS512"}) {
            const Key thief =
                load_one(Jwk("hs256").with_text("alg", algorithm).with_text("k", encode(secret)).text());
            const std::string token = make_jwt(thief, account_claims().text());
            assert_text(check(token, {&server().rsa}), "key");
            assert_text(check(token, {&server().rsa, &server().ec, &server().edwards}), "key");
            assert_text(check(token, {&thief}), "passes");
            attack(token, algorithm == std::string_view("HS256") ? "signature" : "key");
        }
    }
}

/// One key, one algorithm: another of the same type does not pass.
void test_algorithm_of_the_same_type(void**)
{
    for (const char* algorithm : {"RS384", "RS512", "PS256", "PS384", "PS512"}) {
        const Key same = load_one(Jwk("rsa").with_text("alg", algorithm).text());
        attack(make_jwt(same, account_claims().text()), "key");
        const std::string input = part(server().valid_rsa, 0) + '.' + part(server().valid_rsa, 1);
        attack(input + '.' + encode(sign(same, input)), "signature");
    }
}

void test_damaged_signatures(void**)
{
    const std::string token = server().valid_rsa;
    const std::string input = part(token, 0) + '.' + part(token, 1) + '.';
    const std::string signature = decode(part(token, 2));
    attack(input, "signature");
    for (const std::size_t length : {1u, 32u, 64u, 255u}) {
        attack(input + encode(signature.substr(0, length)), "signature");
    }
    attack(input + encode(signature + '\0'), "signature");
    attack(input + encode('\0' + signature), "signature");
    attack(input + encode(std::string(256, '\0')), "signature");
    attack(input + part(server().valid_ec, 2), "signature");
    for (std::size_t i = 0; i < signature.size(); i += 15) {
        std::string flipped = signature;
        flipped[i] = static_cast<char>(flipped[i] ^ 0x10);
        attack(input + encode(flipped), "signature");
    }
    attack(make_jwt(load_one(Jwk("rsa_other").text()), account_claims().text()), "signature");
    attack(part(server().valid_rsa, 0) + '.' + encode(environment_claims().text()) + '.' + part(token, 2),
           "signature");
    attack(part(server().valid_ec, 0) + '.' + part(server().valid_ec, 1) + '.' +
               encode(std::string(64, '\0')),
           "signature");
}

/// Each flipped bit of a small token makes it another's.
void test_each_flipped_character(void**)
{
    const std::string& token = server().valid_secret;
    for (std::size_t i = 0; i < token.size(); ++i) {
        std::string flipped = token;
        flipped[i] = flipped[i] == 'A' ? 'B' : 'A';
        assert_row(server().check(flipped) != "passes", flipped);
    }
    assert_unharmed("flipped characters");
}

/// Headers that ask for something, or bring a key along: RFC 7515 §4.1.
void test_headers(void**)
{
    const std::string own_key = Jwk("rsa_other").make_public().text();
    const Key thief = load_one(Jwk("rsa_other").text());
    const std::string bringing[] = {
        R"({"alg":"RS256","jwk":)" + own_key + "}",
        R"({"alg":"RS256","jku":"https://thief.example/jwks.json"})",
        R"({"alg":"RS256","x5u":"https://thief.example/cert.pem"})",
        R"({"alg":"RS256","x5c":["MIIB"],"x5t":"x","x5t#S256":"y"})",
    };
    for (const std::string& header : bringing) {
        attack(forge(thief, header, account_claims().text()), "signature");
        assert_text(server().check(rsa_with_header(header)), "passes");
    }
    const char* refused[] = {
        R"({"alg":"RS256","crit":["exp"]})",
        R"({"alg":"RS256","crit":[]})",
        R"({"alg":"RS256","crit":null})",
        R"({"alg":"RS256","crit":"x"})",
        R"({"alg":"RS256","crit":["b64"],"b64":false})",
        R"({"alg":"RS256","b64":true})",
        R"({"alg":"RS256","b64":false})",
        R"({"alg":"RS256","b64":null})",
    };
    for (const char* header : refused) {
        attack(rsa_with_header(header), "malformed");
    }
    const std::string unencoded = encode(R"({"alg":"RS256","b64":false})") + '.' + account_claims().text();
    attack(unencoded + '.' + encode(sign(server().rsa, unencoded)), "malformed");
}

/// RFC 8725 §2.9: a kid is compared, and nothing else is done with it.
void test_kid_injection(void**)
{
    const char* unknown[] = {R"("../../../../dev/null")",
                             R"("/dev/null")",
                             R"("x' UNION SELECT 'secret';--")",
                             R"("secret' OR '1'='1")",
                             R"("SECRET")",
                             R"("secret ")",
                             R"("secre")",
                             R"("secrett")",
                             R"("")",
                             R"("ec")",
                             R"("*")",
                             R"("${jndi:ldap://thief.example}")",
                             R"("%s%s%n")",
                             R"("|/bin/sh")",
                             R"("\r\nX: y")"};
    for (const char* kid : unknown) {
        const std::string header = std::string(R"({"alg":"HS256","kid":)") + kid + "}";
        attack(forge(server().secret, header, account_claims().text()), "key");
    }
    for (const char* kid : {"0", "1", "null", "true", "[\"secret\"]", "{\"a\":\"secret\"}",
                            R"("secret\u0000")", "\"\\u0000\""}) {
        const std::string header = std::string(R"({"alg":"HS256","kid":)") + kid + "}";
        attack(forge(server().secret, header, account_claims().text()), "malformed");
    }
    const std::string huge = R"({"alg":"HS256","kid":")" + std::string(4000, 'k') + "\"}";
    attack(forge(server().secret, huge, account_claims().text()), "key");
}

void test_parts(void**)
{
    const std::string& token = server().valid_rsa;
    const std::string header = part(token, 0);
    const std::string claims = part(token, 1);
    const std::string signature = part(token, 2);
    const std::string bad[] = {
        "",
        ".",
        "..",
        "...",
        "x",
        header,
        header + '.' + claims,
        '.' + claims + '.' + signature,
        header + ".." + signature,
        '.' + token,
        token + '.',
        token + '.' + signature,
        token + '.' + claims + '.' + signature,
        header + ".." + claims + '.' + signature,
        header + "." + claims + ".." + signature,
        header + "~" + claims + "~" + signature,
        token + std::string(1, '\0'),
        std::string(1, '\0') + token,
        std::string(8192, '.'),
        std::string(8193, 'A'),
        std::string(100000, 'A') + '.' + claims + '.' + signature,
    };
    for (const std::string& text : bad) {
        attack(text, "malformed");
    }
    attack(sign_text(server().rsa, header, ""), "malformed");
    attack(sign_text(server().rsa, "", claims), "malformed");
    attack(R"({"payload":"e30","protected":"e30","signature":""})", "malformed");
}

/// Claims whose base64url leaves unused bits.
std::string claims_of_rest(std::size_t rest)
{
    std::string claims = account_claims().text();
    while (claims.size() % 3 != rest) {
        claims += ' ';
    }
    return claims;
}

std::string set_unused_bit(const std::string& text)
{
    constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::string changed = text;
    changed.back() = alphabet[alphabet.find(text.back()) ^ 1];
    return changed;
}

void test_unused_bits(void**)
{
    for (const std::size_t rest : {1u, 2u}) {
        const std::string claims = encode(claims_of_rest(rest));
        std::string header_json(R"({"alg":"RS256"})");
        header_json.append((3 + rest - header_json.size() % 3) % 3, ' ');
        const std::string header = encode(header_json);
        assert_text(server().check(sign_text(server().rsa, header, claims)), "passes");
        attack(sign_text(server().rsa, header, set_unused_bit(claims)), "malformed");
        attack(sign_text(server().rsa, set_unused_bit(header), claims), "malformed");
    }
    attack(set_unused_bit(server().valid_rsa), "malformed");
    attack(set_unused_bit(server().valid_ec), "malformed");
    attack(set_unused_bit(server().valid_secret), "malformed");
}

void test_foreign_characters(void**)
{
    const std::string header = part(server().valid_rsa, 0);
    const std::string claims = encode(account_claims().with("x", R"("~~~???>>>")").text());
    assert_true(claims.find_first_of("-_") != std::string::npos);
    std::string standard = claims;
    for (char& character : standard) {
        character = character == '-' ? '+' : character == '_' ? '/' : character;
    }
    attack(sign_text(server().rsa, header, standard), "malformed");
    const std::string additions[] = {
        "=", "==", " ", "\n", "\r\n", "\t", "+", "/", "%3D", "\xc2\xa0", std::string(1, '\0')};
    for (const std::string& addition : additions) {
        attack(sign_text(server().rsa, header + addition, claims), "malformed");
        attack(sign_text(server().rsa, addition + header, claims), "malformed");
        attack(sign_text(server().rsa, header, claims + addition), "malformed");
        attack(sign_text(server().rsa, header, claims.substr(0, 8) + addition + claims.substr(8)),
               "malformed");
        attack(server().valid_rsa + addition, "malformed");
        attack(addition + server().valid_rsa, "malformed");
    }
}

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
        R"({"x":"a\u0000b",)" + inside,
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
        R"({"x":9223372036854775808,)" + inside,
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
    assert_text(server().check(rsa_with_claims(" \r\n" + good + "\n")), "passes");
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

/// RFC 8725 §2.3: a JWE (five parts), and a JWS in a JWS.
void test_other_kinds(void**)
{
    attack("eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.AAAA.AAAA.AAAA.AAAA", "malformed");
    attack(rsa_with_claims(server().valid_rsa), "malformed");
    attack(forge(load_one(Jwk("eddsa_other").text()), R"({"alg":"EdDSA"})", account_claims().text()),
           "signature");
}

/// RFC 8725 §2.5 and §2.2 are about keys: key_test. §2.7: a token for others does not pass here.
void test_tokens_for_others(void**)
{
    attack(rsa_with_claims(account_claims().with("aud", "\"billing\"").text()), "audience");
    attack(rsa_with_claims(account_claims().with("iss", "\"https://thief.example\"").text()), "issuer");
    assert_text(server().check(server().valid_admin), "malformed");
    const Key admin = load_one(Jwk("eddsa_other").text());
    assert_text(check_admin(server().valid_rsa, {&admin}), "key");
    assert_text(check(make_jwt(admin, account_claims().text()), {&server().rsa}), "key");
}

/// trials.md: a random walk through forged and valid ones, on one set of keys.
void test_five_thousand_rounds(void**)
{
    const std::string claims = encode(account_claims().text());
    const std::string forged[] = {
        encode(R"({"alg":"none"})") + '.' + claims + '.',
        encode(R"({"alg":"nOnE"})") + '.' + claims + '.',
        encode(R"({"typ":"JWT"})") + '.' + claims + '.',
        forge(load_one(Jwk("hs256").with_text("k", encode(pem("rsa_public"))).text()), R"({"alg":"HS256"})",
              account_claims().text()),
        server().valid_rsa.substr(0, server().valid_rsa.size() - 40),
        server().valid_ec.substr(0, server().valid_ec.size() - 86),
        make_jwt(load_one(Jwk("rsa_other").text()), account_claims().text()),
        forge(server().secret, R"({"alg":"HS256","crit":["exp"]})", account_claims().text()),
        forge(server().secret, R"({"alg":"HS256","kid":"../x"})", account_claims().text()),
        forge(server().secret, R"({"alg":"RS256"})", account_claims().text()),
    };
    const std::string* valid[] = {&server().valid_rsa, &server().valid_ec, &server().valid_secret};
    std::uint32_t random = 12345;
    for (int round = 0; round < 5000; ++round) {
        random = random * 1664525 + 1013904223;
        const std::string& bad = forged[(random >> 16) % std::size(forged)];
        assert_row(server().check(bad) != "passes", bad);
        assert_row(server().check(*valid[(random >> 24) % 3]) == "passes", bad);
    }
    assert_unharmed("rounds");
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        cmocka_unit_test(test_alg_none),
        cmocka_unit_test(test_public_key_as_secret),
        cmocka_unit_test(test_algorithm_of_the_same_type),
        cmocka_unit_test(test_damaged_signatures),
        cmocka_unit_test(test_each_flipped_character),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_kid_injection),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_unused_bits),
        cmocka_unit_test(test_foreign_characters),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_json_of_headers),
        cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_claims_of_the_wrong_kind),
        cmocka_unit_test(test_issuer_and_audience_of_the_wrong_kind),
        cmocka_unit_test(test_exp),
        cmocka_unit_test(test_nbf),
        cmocka_unit_test(test_other_kinds),
        cmocka_unit_test(test_tokens_for_others),
        cmocka_unit_test(test_five_thousand_rounds),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
