#include "test_keys.hpp"

using namespace api_token;

namespace {

struct Compact {
    std::string_view input;
    std::string_view signature;
};

Compact split(std::string_view compact)
{
    const auto dot = compact.rfind('.');
    return {compact.substr(0, dot), compact.substr(dot + 1)};
}

void test_rfc_vectors(void**)
{
    assert_int_equal(json_array_size(vectors()), 9);
    for (std::size_t i = 0; i < json_array_size(vectors()); ++i) {
        const json_t* vector = json_array_get(vectors(), i);
        const auto row = json_text(json_object_get(vector, "name"));
        const Key key = load_one(json_of(json_object_get(vector, "key")));
        const auto [input, signature] = split(json_text(json_object_get(vector, "compact")));
        assert_row(name(key.algorithm()) == json_text(json_object_get(vector, "alg")), row);
        assert_row(key.verify(input, decode(signature)), row);
        const std::string own = sign(key, input);
        assert_row(key.verify(input, own), row);
        assert_row((encode(own) == signature) == json_is_true(json_object_get(vector, "reproducible")), row);
    }
}

void test_round_trip_of_each_algorithm(void**)
{
    for (const AlgorithmRow& row : algorithm_rows) {
        const Key key = load_one(Jwk(row.key).with_text("alg", row.algorithm).text());
        assert_row(key.can_sign() && name(key.algorithm()) == row.algorithm, row.algorithm);
        const std::string signature = sign(key, "text");
        assert_row(signature.size() == key.signature_capacity(), row.algorithm);
        assert_row(key.verify("text", signature) && key.verify("text", signature), row.algorithm);
        assert_row(!key.verify("Text", signature) && !key.verify("", signature), row.algorithm);
        assert_row(key.verify("", sign(key, "")), row.algorithm);
        if (row.other_key != nullptr) {
            const Key other = load_one(Jwk(row.other_key).with_text("alg", row.algorithm).text());
            assert_row(!other.verify("text", signature), row.algorithm);
        }
    }
}

void test_damaged_signatures(void**)
{
    for (const AlgorithmRow& row : algorithm_rows) {
        const Key key = load_one(Jwk(row.key).with_text("alg", row.algorithm).text());
        const std::string signature = sign(key, "text");
        for (std::size_t length = 0; length < signature.size(); length += 1 + length / 8) {
            assert_row(!key.verify("text", std::string_view(signature).substr(0, length)), row.algorithm);
        }
        for (std::size_t i = 0; i < signature.size(); i += 1 + signature.size() / 40) {
            std::string flipped = signature;
            flipped[i] = static_cast<char>(flipped[i] ^ 1 << i % 8);
            assert_row(!key.verify("text", flipped), row.algorithm);
        }
        assert_row(!key.verify("text", signature + '\0') && !key.verify("text", '\0' + signature),
                   row.algorithm);
        assert_row(!key.verify("text", std::string(signature.size(), '\0')), row.algorithm);
        assert_row(!key.verify("text", std::string(signature.size(), '\xff')), row.algorithm);
        assert_row(ERR_peek_error() == 0, row.algorithm);
        assert_row(key.verify("text", signature), row.algorithm);
    }
}

/// Leading zeros of R and S: without the full width one signature in 128 would be shorter.
void test_ecdsa_signatures_have_full_width(void**)
{
    const std::pair<const char*, std::size_t> rows[] = {{"es256", 86}, {"es384", 128}, {"es512", 176}};
    for (const auto& [name, characters] : rows) {
        const Key key = load_one(Jwk(name).text());
        int zeros = 0;
        for (int i = 0; i < 300 || (zeros == 0 && i < 5000); ++i) {
            const std::string signature = sign(key, std::to_string(i));
            assert_int_equal(encode(signature).size(), characters);
            assert_true(key.verify(std::to_string(i), signature));
            zeros += signature[0] == 0 || signature[signature.size() / 2] == 0;
        }
        assert_true(zeros > 0);
    }
}

/// CVE-2022-21449: zeros are nobody's signature; neither are numbers that are past the order.
void test_ecdsa_forms_of_others(void**)
{
    const Key key = load_one(Jwk("es256").text());
    const std::string signature = sign(key, "text");
    assert_false(key.verify("text", std::string(32, '\0') + signature.substr(32)));
    assert_false(key.verify("text", signature.substr(0, 32) + std::string(32, '\0')));
    assert_false(key.verify("text", signature.substr(32) + signature.substr(0, 32)));
    const std::string der = "\x30\x44\x02\x20" + signature.substr(0, 32) + "\x02\x20" + signature.substr(32);
    assert_false(key.verify("text", der));
}

/// RFC 7518 §3.5: a salt of another length than the hash's is refused, and so is the other padding.
void test_rsa_paddings_are_apart(void**)
{
    const Key rs = load_one(Jwk("rsa").with_text("alg", "RS256").text());
    const Key ps = load_one(Jwk("rsa").with_text("alg", "PS256").text());
    const Key ps512 = load_one(Jwk("rsa").with_text("alg", "PS512").text());
    assert_false(ps.verify("text", sign(rs, "text")));
    assert_false(rs.verify("text", sign(ps, "text")));
    assert_false(ps512.verify("text", sign(ps, "text")));
    assert_true(sign(ps, "text") != sign(ps, "text"));
    const std::string signed_elsewhere = decode(json_text(json_object_get(test_keys(), "ps256_long_salt")));
    assert_int_equal(signed_elsewhere.size(), 256);
    assert_false(ps.verify("text", signed_elsewhere));
    assert_true(ps.verify("text", decode(json_text(json_object_get(test_keys(), "ps256_right_salt")))));
}

void test_algorithm_by_type_and_size(void**)
{
    const std::pair<const char*, const char*> rows[] = {
        {"hs256", "HS256"}, {"hs384", "HS384"}, {"hs512", "HS512"}, {"rsa", "RS256"},
        {"es256", "ES256"}, {"es384", "ES384"}, {"es512", "ES512"}, {"eddsa", "EdDSA"},
    };
    for (const auto& [jwk, algorithm] : rows) {
        assert_text(name(load_one(Jwk(jwk).text()).algorithm()), algorithm);
    }
    const std::pair<std::size_t, const char*> sizes[] = {{32, "HS256"}, {47, "HS256"}, {48, "HS384"},
                                                         {63, "HS384"}, {64, "HS512"}, {1000, "HS512"}};
    for (const auto& [size, algorithm] : sizes) {
        const std::string jwk = Jwk("hs256").with_text("k", encode(std::string(size, 'k'))).text();
        assert_text(name(load_one(jwk).algorithm()), algorithm);
    }
    assert_text(name(load_one(Jwk("hs512").with_text("alg", "HS256").text()).algorithm()), "HS256");
}

void test_header_and_kid(void**)
{
    assert_text(decode(load_one(Jwk("hs256").text()).header()), R"({"alg":"HS256","typ":"JWT"})");
    const Key named = load_one(Jwk("es256").with_text("kid", "a\"b\\c/é").text());
    assert_text(named.kid(), "a\"b\\c/é");
    assert_text(decode(named.header()), R"({"alg":"ES256","typ":"JWT","kid":"a\"b\\c/é"})");
    std::string longest;
    for (int i = 0; i < 128; ++i) {
        longest += "\U0001F511";
    }
    assert_true(decode(load_one(Jwk("hs256").with_text("kid", longest).text()).header()).ends_with("\"}"));
    const std::string quotes(128, '"');
    assert_true(decode(load_one(Jwk("hs256").with_text("kid", quotes).text()).header()).ends_with("\\\"\"}"));
    assert_text(load_one(pem("rsa_pkcs8")).kid(), "");
}

void test_refused_kids(void**)
{
    const std::string bad[] = {R"("")",         "1",
                               "null",          R"(["a"])",
                               R"("a\u001fb")", R"("a\u007fb")",
                               R"("\u0085")",   '"' + std::string(129, 'k') + '"'};
    for (const std::string& kid : bad) {
        assert_refused(Jwk("hs256").with("kid", kid).text(),
                       "\"kid\" must be a string of 1 to 128 characters");
    }
}

void test_refused_algorithms(void**)
{
    const char* unknown[] = {"\"none\"", "\"hs256\"", "\"RSA-OAEP\"", "\"ES256K\"",
                             "1",        "null",      "[\"RS256\"]",  "\"\""};
    for (const char* alg : unknown) {
        assert_refused(Jwk("rsa").with("alg", alg).text(), "member \"alg\" must be HS256");
    }
    const std::pair<const char*, const char*> misfits[] = {
        {"rsa", "HS256"},   {"rsa", "ES256"},   {"rsa", "EdDSA"},   {"es256", "ES384"}, {"es384", "ES256"},
        {"es512", "ES384"}, {"es256", "RS256"}, {"es256", "EdDSA"}, {"eddsa", "ES256"}, {"hs256", "RS256"},
        {"hs256", "ES256"}, {"eddsa", "PS256"}, {"hs512", "EdDSA"}, {"es256", "HS256"}, {"eddsa", "HS512"}};
    for (const auto& [key, alg] : misfits) {
        assert_refused(Jwk(key).with_text("alg", alg).text(),
                       std::string(alg) + ", which does not go with a");
    }
}

void test_refused_uses(void**)
{
    for (const char* use : {"\"enc\"", "1", "null", "\"\"", "\"SIG\""}) {
        assert_refused(Jwk("rsa").with("use", use).text(), "\"use\" must be \"sig\"");
    }
    for (const char* operations : {R"(["encrypt"])", "[]", "\"sign\"", "null", R"({"sign":1})", "[1]"}) {
        assert_refused(Jwk("rsa").with("key_ops", operations).text(), "\"key_ops\" must be an array");
    }
    assert_true(load_one(Jwk("rsa").with_text("use", "sig").text()).can_sign());
    assert_true(load_one(Jwk("hs256").with("key_ops", R"(["verify","sign"])").text()).can_sign());
    const Key verifier = load_one(Jwk("hs256").with("key_ops", R"(["verify"])").text());
    assert_false(verifier.can_sign());
    assert_text(sign(verifier, "text"), "");
}

void test_short_keys_are_refused(void**)
{
    assert_refused(Jwk("hs256").with_text("k", encode(std::string(31, 'k'))).text(),
                   "an HMAC key of 31 bytes: HS256 needs 32 random bytes");
    assert_refused(Jwk("hs256").with_text("alg", "HS384").text(), "32 bytes: HS384 needs 48");
    assert_refused(Jwk("hs384").with_text("alg", "HS512").text(), "48 bytes: HS512 needs 64");
    assert_refused(Jwk("hs256").with_text("k", "").text(), "member \"k\" must be a string of base64url");
    assert_refused(Jwk("hs256").without({"k"}).text(), "member \"k\" is missing");
    assert_refused(Jwk("rsa_1024").text(), "an RSA key of 1024 bits: make one of 2048 bits or more");
    assert_refused(Jwk("rsa_1024").make_public().text(), "an RSA key of 1024 bits");
    assert_refused(pem("rsa_1024_pkcs8"), "an RSA key of 1024 bits");
    assert_refused(Jwk("rsa").make_public().with_text("n", encode(std::string(2049, '\xff'))).text(),
                   "an RSA key of 16392 bits");
}

void test_base64url_of_jwk_is_strict(void**)
{
    const std::string k = Jwk("hs256").member("k");
    for (const std::string& bad : {k + "=", k + " ", ' ' + k, k.substr(0, 42) + "+", k.substr(0, 42) + "/",
                                   k.substr(0, 42) + "_", k.substr(0, 41) + "\n"}) {
        assert_refused(Jwk("hs256").with_text("k", bad).text(), "member \"k\" must be a string of base64url");
    }
    assert_refused(Jwk("hs256").with("k", "1").text(), "member \"k\" must be");
}

void test_ec_coordinates_have_full_width(void**)
{
    for (const char* name : {"es256_zero_x", "es256_zero_y", "es256_zero_d"}) {
        const Key key = load_one(Jwk(name).text());
        assert_true(key.verify("text", sign(key, "text")));
    }
    const std::pair<const char*, const char*> rows[] = {
        {"es256_zero_x", "x"}, {"es256_zero_y", "y"}, {"es256_zero_d", "d"}};
    for (const auto& [name, member] : rows) {
        const std::string bytes = decode(Jwk(name).member(member));
        assert_int_equal(bytes[0], 0);
        const std::string expected = std::string("member \"") + member + "\" must hold 32 bytes";
        assert_refused(Jwk(name).with_text(member, encode(bytes.substr(1))).text(), expected);
        assert_refused(Jwk(name).with_text(member, encode('\0' + bytes)).text(), expected);
    }
    assert_refused(Jwk("es512").with_text("x", encode(std::string(65, 'x'))).text(),
                   "member \"x\" must hold 66 bytes, leading zeros with them, and holds 65");
}

void test_leading_zeros_of_rsa_are_read(void**)
{
    Jwk jwk("rsa");
    const std::string n = decode(jwk.member("n"));
    const Key key = load_one(Jwk("rsa").text());
    const Key padded = load_one(jwk.with_text("n", encode('\0' + n)).text());
    assert_true(key.verify("text", sign(padded, "text")));
    assert_int_equal(padded.signature_capacity(), 256);
}

void test_rsa_without_factors(void**)
{
    const Key key = load_one(Jwk("rsa").without({"p", "q", "dp", "dq", "qi"}).text());
    assert_true(key.can_sign());
    assert_true(load_one(Jwk("rsa").text()).verify("text", sign(key, "text")));
    for (const char* factor : {"p", "q", "dp", "dq", "qi"}) {
        assert_refused(Jwk("rsa").without({factor}).text(),
                       std::string("member \"") + factor + "\" is missing");
    }
    assert_refused(Jwk("rsa").with("oth", "[]").text(), "more than two primes");
}

void test_halves_that_do_not_belong_together(void**)
{
    constexpr std::string_view expected = "the private key does not belong to its public half";
    assert_refused(Jwk("es256").with_text("d", Jwk("es256_other").member("d")).text(), expected);
    assert_refused(Jwk("es256").with_text("d", encode(std::string(32, '\0'))).text(), "");
    assert_refused(Jwk("es256").with_text("d", encode(std::string(32, '\xff'))).text(), "");
    assert_refused(Jwk("eddsa").with_text("d", Jwk("eddsa_other").member("d")).text(), expected);
    assert_refused(Jwk("rsa").with_text("d", Jwk("rsa_other").member("d")).text(), expected);
    assert_refused(Jwk("rsa").with_text("p", Jwk("rsa_other").member("p")).text(), expected);
    assert_refused(Jwk("rsa").with_text("qi", Jwk("rsa_other").member("qi")).text(), expected);
    assert_refused(Jwk("rsa").with_text("n", Jwk("rsa_other").member("n")).text(), expected);
    Jwk bare("rsa");
    bare.without({"p", "q", "dp", "dq", "qi"}).with_text("d", Jwk("rsa_other").member("d"));
    assert_refused(bare.text(), expected);
}

void test_numbers_that_are_no_key(void**)
{
    const std::string y = Jwk("es256_other").member("y");
    assert_refused(Jwk("es256").with_text("y", y).text(), "the point is not on the curve");
    assert_refused(Jwk("es256").make_public().with_text("y", y).text(), "the point is not on the curve");
    const std::string zero = encode(std::string(32, '\0'));
    assert_refused(Jwk("es256").make_public().with_text("x", zero).with_text("y", zero).text(),
                   "not on the curve");
    assert_refused(Jwk("rsa").make_public().with_text("e", encode("\x01")).text(), "not those of a key");
    assert_refused(Jwk("rsa").make_public().with_text("e", encode(std::string(1, '\0'))).text(),
                   "not those of a key");
    assert_refused(Jwk("rsa").make_public().with_text("e", encode("\x02")).text(), "not those of a key");
    assert_refused(Jwk("rsa").without({"e"}).text(), "member \"e\" is missing");
    assert_refused(Jwk("es256").without({"y"}).text(), "member \"y\" is missing");
    assert_refused(Jwk("eddsa").without({"x"}).text(), "member \"x\" is missing");
    assert_refused(Jwk("eddsa").with_text("x", encode(std::string(31, 'x'))).text(),
                   "\"x\" must hold 32 bytes");
    assert_refused(Jwk("rsa").with("d", "1").text(), "member \"d\" must be");
}

void test_unknown_types_and_curves(void**)
{
    for (const char* kty : {"\"rsa\"", "\"AKP\"", "1", "null", "\"\""}) {
        assert_refused(Jwk("rsa").with("kty", kty).text(), "\"kty\" must be oct, RSA, EC or OKP");
    }
    assert_refused(Jwk("rsa").without({"kty"}).text(), "\"kty\" must be oct, RSA, EC or OKP");
    for (const char* crv : {"secp256k1", "Ed25519", "p-256", "prime256v1", ""}) {
        assert_refused(Jwk("es256").with_text("crv", crv).text(), "\"crv\" must be P-256, P-384 or P-521");
    }
    for (const char* crv : {"Ed448", "X25519", "P-256"}) {
        assert_refused(Jwk("eddsa").with_text("crv", crv).text(), "\"crv\" must be Ed25519");
    }
    assert_refused(Jwk("es256").with_text("crv", "P-384").text(), "\"x\" must hold 48 bytes");
}

void test_public_halves_verify_only(void**)
{
    for (const char* name : {"rsa", "es256", "es384", "es512", "eddsa"}) {
        const Key whole = load_one(Jwk(name).text());
        const Key half = load_one(Jwk(name).make_public().text());
        assert_false(half.can_sign());
        assert_text(sign(half, "text"), "");
        assert_true(half.verify("text", sign(whole, "text")));
    }
}

void test_moving_and_small_memory(void**)
{
    Key key = load_one(Jwk("hs256").text());
    const std::string signature = sign(key, "text");
    Key moved = std::move(key);
    assert_true(moved.verify("text", signature));
    moved = load_one(Jwk("es256").text());
    assert_false(moved.verify("text", signature));
    char memory[63];
    assert_true(moved.sign("text", memory).empty());
    char enough[64];
    assert_int_equal(moved.sign("text", enough).size(), 64);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc_vectors),
        cmocka_unit_test(test_round_trip_of_each_algorithm),
        cmocka_unit_test(test_damaged_signatures),
        cmocka_unit_test(test_ecdsa_signatures_have_full_width),
        cmocka_unit_test(test_ecdsa_forms_of_others),
        cmocka_unit_test(test_rsa_paddings_are_apart),
        cmocka_unit_test(test_algorithm_by_type_and_size),
        cmocka_unit_test(test_header_and_kid),
        cmocka_unit_test(test_refused_kids),
        cmocka_unit_test(test_refused_algorithms),
        cmocka_unit_test(test_refused_uses),
        cmocka_unit_test(test_short_keys_are_refused),
        cmocka_unit_test(test_base64url_of_jwk_is_strict),
        cmocka_unit_test(test_ec_coordinates_have_full_width),
        cmocka_unit_test(test_leading_zeros_of_rsa_are_read),
        cmocka_unit_test(test_rsa_without_factors),
        cmocka_unit_test(test_halves_that_do_not_belong_together),
        cmocka_unit_test(test_numbers_that_are_no_key),
        cmocka_unit_test(test_unknown_types_and_curves),
        cmocka_unit_test(test_public_halves_verify_only),
        cmocka_unit_test(test_moving_and_small_memory),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
