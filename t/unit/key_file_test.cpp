#include "test_keys.hpp"

using namespace api_token;

namespace {

std::string set_of(std::initializer_list<std::string> jwks)
{
    std::string text = R"({"keys":[)";
    for (const std::string& jwk : jwks) {
        text.append(text.back() == '[' ? "" : ",").append(jwk);
    }
    return text + "]}";
}

void test_sets(void**)
{
    const std::string a = Jwk("hs256").with_text("kid", "a").text();
    const std::string b = Jwk("es256").make_public().with_text("kid", "b").text();
    const auto keys = load(" \r\n\t" + set_of({a, b, a}) + "\n");
    assert_int_equal(keys.size(), 3);
    assert_text(keys[0].kid(), "a");
    assert_text(keys[1].kid(), "b");
    assert_refused(set_of({}), "must be an array that holds a key");
    assert_refused(R"({"keys":null})", "must be an array");
    assert_refused(R"({"keys":{"kty":"oct"}})", "must be an array");
    assert_refused(set_of({a, b, R"({"kty":"AKP"})"}), "keys[2]: member \"kty\"");
    assert_refused(set_of({a, "1"}), "keys[1]: a JWK must be a JSON object");
    assert_refused(set_of({Jwk("rsa_1024").text(), a}), "keys[0]: an RSA key of 1024 bits");
}

void test_broken_files(void**)
{
    assert_refused("", "the file is empty");
    assert_refused(" \n\t\r\n", "the file is empty");
    assert_refused("not a key, just a long password for everybody", "a secret is written as the JWK");
    assert_refused(std::string(64, '\0'), "a secret is written as the JWK");
    assert_refused("[" + Jwk("hs256").text() + "]", "neither a JWK nor a PEM key");
    const std::string jwk = Jwk("hs256").text();
    const std::string broken[] = {jwk.substr(0, jwk.size() - 1),
                                  jwk + "x",
                                  jwk + jwk,
                                  R"({"kty":"oct","kty":"oct","k":"AA"})",
                                  R"({"kty":"oct","\u006bty":"oct"})",
                                  R"({"keys":[{"k":"A","k":"A"}]})",
                                  "{\"k\":\"\xff\"}",
                                  R"({"k\u0000":"a"})"};
    for (const std::string& bad : broken) {
        assert_refused(bad, "broken JSON, or a member that is there twice");
    }
    assert_refused("{}", "\"kty\" must be");
}

/// What one half of the pair signs, the other verifies.
void assert_same_key(const Key& one, const Key& other)
{
    assert_int_equal(static_cast<int>(one.algorithm()), static_cast<int>(other.algorithm()));
    assert_true(one.fingerprint() == other.fingerprint());
    if (one.can_sign()) {
        assert_true(other.verify("text", sign(one, "text")));
    }
    if (other.can_sign()) {
        assert_true(one.verify("text", sign(other, "text")));
    }
}

void test_pem_is_the_same_as_jwk(void**)
{
    const std::pair<const char*, const char*> rows[] = {
        {"rsa", "rsa_pkcs8"},     {"rsa", "rsa_pkcs1"},      {"rsa", "rsa_public"},
        {"es256", "es256_pkcs8"}, {"es256", "es256_sec1"},   {"es256", "es256_public"},
        {"es384", "es384_pkcs8"}, {"es384", "es384_sec1"},   {"es384", "es384_public"},
        {"es512", "es512_pkcs8"}, {"es512", "es512_sec1"},   {"es512", "es512_public"},
        {"eddsa", "eddsa_pkcs8"}, {"eddsa", "eddsa_public"}, {"es256", "ec_compressed_public"}};
    for (const auto& [jwk, file] : rows) {
        const Key key = load_one(pem(file));
        assert_row(key.can_sign() == (std::string_view(file).find("public") == std::string_view::npos), file);
        assert_same_key(load_one(Jwk(jwk).text()), key);
    }
}

void test_pem_files(void**)
{
    assert_true(load_one(pem("ec_parameters")).can_sign());
    const Key named = load_one(pem("ec_explicit"));
    assert_text(name(named.algorithm()), "ES256");
    assert_same_key(named, load_one(named.public_jwk()));
    assert_true(load_one("A key of ours\n\n" + pem("rsa_pkcs8") + "\nand so on").can_sign());
    std::string crlf;
    for (const char character : pem("es256_pkcs8")) {
        crlf.append(character == '\n' ? "\r\n" : std::string(1, character));
    }
    assert_true(load_one(crlf).can_sign());
    const auto keys = load(pem("rsa_pkcs8") + pem("es256_public") + pem("ec_parameters"));
    assert_int_equal(keys.size(), 3);
    assert_text(name(keys[0].algorithm()), "RS256");
    assert_false(keys[1].can_sign());
    assert_true(keys[2].can_sign());
}

void test_refused_pem(void**)
{
    assert_refused(pem("rsa_encrypted"), "an encrypted key");
    assert_refused(pem("rsa_encrypted_pkcs1"), "an encrypted key");
    assert_refused(pem("certificate"), "openssl x509 -in FILE -noout -pubkey");
    assert_refused(pem("rsa_public_pkcs1"), "a PEM block of RSA PUBLIC KEY");
    for (const char* name : {"secp256k1", "ed448", "x25519", "rsa_pss"}) {
        assert_refused(pem(name), "of a type or curve that is not known here");
    }
    assert_refused(pem("rsa_pkcs8") + pem("rsa_encrypted"), "PEM block 2: an encrypted key");
    const std::string key = pem("es256_pkcs8");
    assert_refused(key.substr(0, key.size() / 2), "a broken PEM block");
    assert_refused(key.substr(0, key.size() - 6), "a broken PEM block");
    assert_refused(key + "-----BEGIN PUBLIC KEY----\nAAAA\n", "PEM block 2: a broken PEM block");
    assert_refused("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
                   "no key that OpenSSL can read");
    assert_refused("-----BEGIN PUBLIC KEY-----\n!!!!\n-----END PUBLIC KEY-----\n", "a broken PEM block");
    assert_refused("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n",
                   "without a key");
    std::string tampered = key;
    tampered[key.find('\n') + 70] = tampered[key.find('\n') + 70] == 'A' ? 'B' : 'A';
    assert_refused(tampered, "");
}

/// jansson's own allocator is back, and errors hold no key material.
void test_loading_leaves_nothing_behind(void**)
{
    json_malloc_t allocate_before;
    json_free_t release_before;
    json_get_alloc_funcs(&allocate_before, &release_before);
    load_one(Jwk("rsa").text());
    json_malloc_t allocate_after;
    json_free_t release_after;
    json_get_alloc_funcs(&allocate_after, &release_after);
    assert_true(allocate_before == allocate_after && release_before == release_after);
    const std::string secret = Jwk("hs256").member("k");
    const auto broken = load_keys(R"({"kty":"oct","k":")" + secret + "\" oops");
    assert_true(broken.error().find(secret.substr(0, 8)) == std::string::npos);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        cmocka_unit_test(test_sets),
        cmocka_unit_test(test_broken_files),
        cmocka_unit_test(test_pem_is_the_same_as_jwk),
        cmocka_unit_test(test_pem_files),
        cmocka_unit_test(test_refused_pem),
        cmocka_unit_test(test_loading_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
