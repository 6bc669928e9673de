#include "test_jwt.hpp"

#include <cstdlib>
#include <new>

#include <openssl/err.h>

using namespace api_token;

namespace {

std::size_t news = 0;

} // namespace

/// Counted, for what a request does must not use it.
void* operator new(std::size_t size)
{
    ++news;
    return std::malloc(size);
}
void operator delete(void* memory) noexcept
{
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept
{
    std::free(memory);
}

namespace {

const Key& hs256()
{
    static const Key key = load_one(Jwk("hs256").text());
    return key;
}

void test_each_algorithm(void**)
{
    for (const AlgorithmRow& row : algorithm_rows) {
        for (const char* kid : {"", "2026-11"}) {
            Jwk jwk(row.key);
            jwk.with_text("alg", row.algorithm);
            const Key key = load_one(*kid == '\0' ? jwk.text() : jwk.with_text("kid", kid).text());
            const std::string token = make_jwt(key, account_claims().text());
            assert_row(token.starts_with(key.header()) && token.find('=') == std::string::npos,
                       row.algorithm);
            assert_row(token.size() == jwt_capacity(key, account_claims().text().size()), row.algorithm);
            assert_row(check(token, {&key}) == "passes", row.algorithm);
            assert_row(check(token, {}) == "key", row.algorithm);
        }
    }
}

void test_claims_of_an_account_token(void**)
{
    const std::string token = make_jwt(hs256(), account_claims().text());
    const Key* keys[] = {&hs256()};
    const auto claims = verify_token(token, keys, rules);
    assert_true(static_cast<bool>(claims));
    assert_text(claims->sub, account);
    assert_text(claims->jti, token_id);
    assert_true(claims->scope == Scope::account);
    assert_text(claims->environment_id, "");
    assert_text(claims->account_id, "");
    assert_int_equal(claims->issued_at, 1700000000);
    assert_int_equal(claims->expires_at, 1900000000);
}

void test_claims_of_an_environment_token(void**)
{
    const std::string token = make_jwt(hs256(), environment_claims().text());
    const Key* keys[] = {&hs256()};
    auto claims = verify_token(token, keys, rules);
    assert_true(static_cast<bool>(claims));
    const Claims moved = std::move(*claims);
    assert_true(moved.scope == Scope::environment);
    assert_text(moved.environment_id, environment);
    assert_text(moved.jti, token_id);
}

void test_what_write_claims_writes(void**)
{
    Token token;
    token.id = token_id;
    token.account_id = account;
    token.environment_id = environment;
    token.scope = Scope::environment;
    token.inserted_at = now - 10;
    token.expires_at = now + 10;
    std::string memory(claims_capacity(rules.issuer, rules.audience), '\0');
    Writer out(memory);
    write_claims(out, token, rules.issuer, rules.audience);
    const std::string jwt = make_jwt(hs256(), out.view());
    const Key* keys[] = {&hs256()};
    const auto claims = verify_token(jwt, keys, rules);
    assert_true(static_cast<bool>(claims));
    assert_text(claims->sub, account);
    assert_text(claims->environment_id, environment);
    assert_int_equal(claims->issued_at, now - 10);
    assert_int_equal(claims->expires_at, now + 10);
}

void test_claims_of_an_admin(void**)
{
    const std::string token = make_jwt(hs256(), admin_claims().text());
    const Key* keys[] = {&hs256()};
    const auto claims = verify_admin(token, keys, rules);
    assert_true(static_cast<bool>(claims));
    assert_text(claims->sub, account);
    assert_text(claims->account_id, environment);
    assert_text(claims->jti, "");
    assert_int_equal(claims->issued_at, 0);
    const auto any =
        verify_admin(make_jwt(hs256(), admin_claims().with("account_id", "").text()), keys, rules);
    assert_true(static_cast<bool>(any));
    assert_text(any->account_id, "");
    assert_text(check(token, {&hs256()}), "malformed");
    const auto other =
        verify_admin(make_jwt(hs256(), account_claims().with("account_id", "").text()), keys, rules);
    assert_true(!other && other.error() == Refusal::malformed);
}

/// The example of RFC 7515 A.1: rightly signed, and no token of this service.
void test_rfc_token(void**)
{
    const json_t* vector = json_array_get(vectors(), 0);
    const Key key = load_one(json_of(json_object_get(vector, "key")));
    const auto compact = json_text(json_object_get(vector, "compact"));
    assert_text(check(compact, {&key}), "issuer");
    assert_text(check(compact, {&key}, {"joe", "", now}), "expired");
    assert_text(check(compact, {&key}, {"joe", "", 1300819379}), "malformed");
}

void test_which_key(void**)
{
    const Key plain = load_one(Jwk("es256").text());
    const Key other = load_one(Jwk("es256_other").text());
    const Key a = load_one(Jwk("es256").with_text("kid", "a").text());
    const Key b = load_one(Jwk("es256_other").with_text("kid", "b").text());
    const Key second_a = load_one(Jwk("es256_other").with_text("kid", "a").text());
    const Key rsa_a = load_one(Jwk("rsa").with_text("kid", "a").text());
    const std::string claims = account_claims().text();
    assert_text(check(make_jwt(a, claims), {&b, &a}), "passes");
    assert_text(check(make_jwt(a, claims), {&second_a, &a}), "passes");
    assert_text(check(make_jwt(a, claims), {&second_a}), "signature");
    assert_text(check(make_jwt(a, claims), {&b}), "key");
    assert_text(check(make_jwt(a, claims), {&plain}), "key");
    assert_text(check(make_jwt(a, claims), {&rsa_a}), "key");
    assert_text(check(make_jwt(plain, claims), {&b, &a}), "passes");
    assert_text(check(make_jwt(plain, claims), {&b, &other}), "signature");
    assert_text(check(make_jwt(plain, claims), {&other, &plain}), "passes");
    assert_text(check(make_jwt(plain, claims), {&rsa_a, &hs256()}), "key");
}

/// A header that a key would write itself is not parsed: another spelling must mean the same.
void test_spelling_of_the_header_changes_nothing(void**)
{
    const Key a = load_one(Jwk("es256").with_text("kid", "a").text());
    const Key b = load_one(Jwk("es256_other").with_text("kid", "b").text());
    const std::string claims = account_claims().text();
    const std::pair<const char*, const char*> rows[] = {
        {R"({"alg":"ES256","typ":"JWT","kid":"a"})", "passes"},
        {R"({"kid":"a","alg":"ES256"})", "passes"},
        {R"( {"alg" : "ES256", "typ":7, "kid":"\u0061"} )", "passes"},
        {R"({"alg":"ES256","typ":"at+jwt","kid":"a","cty":"JWT","x":[{}]})", "passes"},
        {R"({"alg":"ES256"})", "passes"},
        {R"({"alg":"ES256","typ":"JWT"})", "passes"},
        {R"({"alg":"ES256","typ":"JWT","kid":"b"})", "signature"},
        {R"({"alg":"ES256","kid":"b"})", "signature"},
        {R"({"alg":"ES256","typ":"JWT","kid":"c"})", "key"},
        {R"({"alg":"ES256","typ":"JWT","kid":""})", "key"},
        {R"({"alg":"ES384","typ":"JWT","kid":"a"})", "key"},
        {R"({"alg":"es256","typ":"JWT","kid":"a"})", "key"},
    };
    for (const auto& [header, verdict] : rows) {
        assert_row(check(forge(a, header, claims), {&b, &a}) == verdict, header);
    }
    const Key plain = load_one(Jwk("es256").text());
    assert_text(check(forge(plain, R"({"alg":"ES256","kid":""})", claims), {&plain}), "key");
}

struct Row {
    const char* value;
    const char* verdict;
};

void check_rows(const char* member, std::initializer_list<Row> rows)
{
    for (const Row& row : rows) {
        const std::string token = make_jwt(hs256(), account_claims().with(member, row.value).text());
        const std::string label = std::string(member) + " " + row.value;
        assert_row(check(token, {&hs256()}) == row.verdict, label);
        const std::string admin = make_jwt(hs256(), admin_claims().with(member, row.value).text());
        assert_row(check_admin(admin, {&hs256()}) == row.verdict, label);
    }
}

void test_exp(void**)
{
    check_rows("exp", {{"1800000001", "passes"},
                       {"1800000000", "expired"},
                       {"1799999999", "expired"},
                       {"1.9e9", "passes"},
                       {"1900000000.0", "passes"},
                       {"1800000001.0", "passes"},
                       {"1800000000.999", "expired"},
                       {"1.8e9", "expired"},
                       {"9007199254740992", "passes"},
                       {"9007199254740993", "malformed"},
                       {"9007199254740992.0", "passes"},
                       {"9007199254740994.0", "malformed"},
                       {"1e300", "malformed"},
                       {"-1e300", "malformed"},
                       {"9223372036854775807", "malformed"},
                       {"-9223372036854775808", "malformed"},
                       {"0", "expired"},
                       {"-1", "expired"},
                       {"-0.5", "expired"},
                       {"\"1900000000\"", "malformed"},
                       {"true", "malformed"},
                       {"null", "malformed"},
                       {"[1900000000]", "malformed"},
                       {"{}", "malformed"},
                       {"", "malformed"}});
}

void test_nbf(void**)
{
    check_rows("nbf", {{"", "passes"},
                       {"1800000000", "passes"},
                       {"1800000001", "early"},
                       {"0", "passes"},
                       {"1800000000.9", "passes"},
                       {"1800000001.0", "early"},
                       {"-1", "passes"},
                       {"9007199254740992", "early"},
                       {"9007199254740993", "malformed"},
                       {"1e300", "malformed"},
                       {"\"0\"", "malformed"},
                       {"null", "malformed"},
                       {"false", "malformed"},
                       {"[]", "malformed"}});
}

void test_iat_is_not_checked(void**)
{
    const std::pair<const char*, Seconds> rows[] = {{"1700000000", 1700000000},
                                                    {"1700000000.9", 1700000000},
                                                    {"1999999999", 1999999999},
                                                    {"\"1\"", 0},
                                                    {"null", 0},
                                                    {"-1", 0},
                                                    {"253402300800", 0},
                                                    {"1e300", 0},
                                                    {"", 0}};
    const Key* keys[] = {&hs256()};
    for (const auto& [value, time] : rows) {
        const auto claims =
            verify_token(make_jwt(hs256(), account_claims().with("iat", value).text()), keys, rules);
        assert_row(claims && claims->issued_at == time, value);
    }
}

void test_a_far_end_can_be_written(void**)
{
    const Key* keys[] = {&hs256()};
    const std::string token = make_jwt(hs256(), account_claims().with("exp", "9007199254740992").text());
    const auto claims = verify_token(token, keys, rules);
    assert_true(claims && claims->expires_at == last_second);
}

void test_issuer(void**)
{
    check_rows("iss", {{"\"https://issuer.example\"", "passes"},
                       {"\"https://issuer.example/\"", "issuer"},
                       {"\"\"", "issuer"},
                       {"[\"https://issuer.example\"]", "issuer"},
                       {"null", "issuer"},
                       {"1", "issuer"},
                       {"", "issuer"}});
    const std::string token = make_jwt(hs256(), account_claims().with("iss", "").text());
    assert_text(check(token, {&hs256()}, {"", "api", now}), "passes");
}

void test_audience(void**)
{
    check_rows("aud", {{"\"api\"", "passes"},
                       {"[\"api\"]", "passes"},
                       {"[\"x\",\"api\",\"y\"]", "passes"},
                       {"\"API\"", "audience"},
                       {"[\"x\"]", "audience"},
                       {"[]", "audience"},
                       {"[[\"api\"]]", "audience"},
                       {"[\"api\",1]", "audience"},
                       {"{\"api\":\"api\"}", "audience"},
                       {"null", "audience"},
                       {"1", "audience"},
                       {"", "audience"},
                       {"\"\"", "audience"}});
    const std::string token = make_jwt(hs256(), account_claims().with("aud", "").text());
    assert_text(check(token, {&hs256()}, {"https://issuer.example", "", now}), "passes");
}

void test_order_of_checks(void**)
{
    Members claims = account_claims();
    const auto verdict = [&] { return check(make_jwt(hs256(), claims.text()), {&hs256()}); };
    claims.with("sub", "1").with("exp", "1").with("nbf", "1900000000").with("aud", "1").with("iss", "1");
    assert_text(verdict(), "issuer");
    claims.with("iss", "\"https://issuer.example\"");
    assert_text(verdict(), "audience");
    claims.with("aud", "\"api\"");
    assert_text(verdict(), "early");
    claims.with("nbf", "");
    assert_text(verdict(), "expired");
    claims.with("exp", "1900000000");
    assert_text(verdict(), "malformed");
}

void test_scope_and_environment(void**)
{
    struct ScopeRow {
        const char* scope;
        const char* environment;
        const char* verdict;
    };
    const ScopeRow rows[] = {{"\"account\"", "", "passes"},
                             {"\"account\"", "null", "passes"},
                             {"\"account\"", "\"013xrzp12g3nqk8nzxvq7jm2arsfg5h1\"", "malformed"},
                             {"\"account\"", "\"\"", "malformed"},
                             {"\"account\"", "false", "malformed"},
                             {"\"environment\"", "\"013xrzp12g3nqk8nzxvq7jm2arsfg5h1\"", "passes"},
                             {"\"environment\"", "\"01kx0000003nqk8p0123456789abcdef\"", "passes"},
                             {"\"environment\"", "", "malformed"},
                             {"\"environment\"", "null", "malformed"},
                             {"\"environment\"", "\"x\"", "malformed"},
                             {"\"admin\"", "", "malformed"},
                             {"\"Account\"", "", "malformed"},
                             {"\"\"", "", "malformed"},
                             {"null", "", "malformed"},
                             {"", "", "malformed"}};
    for (const ScopeRow& row : rows) {
        const std::string claims =
            account_claims().with("token_scope", row.scope).with("environment_id", row.environment).text();
        assert_row(check(make_jwt(hs256(), claims), {&hs256()}) == row.verdict, claims);
    }
}

void test_partition(void**)
{
    const std::string foreign = '"' + std::string(foreign_id) + '"';
    const std::string claims = account_claims().with("jti", foreign).text();
    assert_text(check(make_jwt(hs256(), claims), {&hs256()}), "malformed");
}

void test_length(void**)
{
    const auto token_of = [](std::size_t filler) {
        return make_jwt(hs256(), account_claims().with("x", '"' + std::string(filler, 'x') + '"').text());
    };
    std::size_t filler = 5000;
    while (token_of(filler + 1).size() <= jwt_max_length) {
        ++filler;
    }
    assert_text(check(token_of(filler), {&hs256()}), "passes");
    assert_text(check(token_of(filler + 3), {&hs256()}), "malformed");
}

void test_signing_needs_memory_and_a_private_key(void**)
{
    std::string memory(jwt_capacity(hs256(), 2), '\0');
    assert_int_equal(sign_jwt(hs256(), "{}", memory).size(), memory.size());
    assert_true(sign_jwt(hs256(), "{}", std::span(memory).first(memory.size() - 1)).empty());
    const Key verifier = load_one(Jwk("es256").make_public().text());
    std::string enough(jwt_capacity(verifier, 2), '\0');
    assert_true(sign_jwt(verifier, "{}", enough).empty());
}

void test_requests_use_no_new(void**)
{
    for (const char* jwk : {"hs256", "rsa", "es256", "eddsa"}) {
        const Key key = load_one(Jwk(jwk).with_text("kid", "a").text());
        const std::string claims = environment_claims().text();
        const std::string other_header =
            forge(key, std::string(R"({"kid":"a","alg":")").append(name(key.algorithm())) + "\"}", claims);
        std::string memory(jwt_capacity(key, claims.size()), '\0');
        const std::size_t before = news;
        const auto token = sign_jwt(key, claims, memory);
        const bool good = check(token, {&key}) == "passes" && check(other_header, {&key}) == "passes" &&
                          check(token.substr(0, token.size() - 4), {&key}) != "passes";
        assert_int_equal(news, before);
        assert_true(good);
        assert_int_equal(ERR_peek_error(), 0);
    }
}

void test_names_of_refusals(void**)
{
    const char* words[] = {"missing",  "malformed", "key",        "signature", "issuer",
                           "audience", "expired",   "early",      "unknown",   "suspended",
                           "revoked",  "scope",     "unavailable"};
    for (std::size_t i = 0; i < std::size(words); ++i) {
        assert_text(name(static_cast<Refusal>(i)), words[i]);
    }
    assert_text(name(Refusal::unavailable), "unavailable");
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        cmocka_unit_test(test_each_algorithm),
        cmocka_unit_test(test_claims_of_an_account_token),
        cmocka_unit_test(test_claims_of_an_environment_token),
        cmocka_unit_test(test_what_write_claims_writes),
        cmocka_unit_test(test_claims_of_an_admin),
        cmocka_unit_test(test_rfc_token),
        cmocka_unit_test(test_which_key),
        cmocka_unit_test(test_spelling_of_the_header_changes_nothing),
        cmocka_unit_test(test_exp),
        cmocka_unit_test(test_nbf),
        cmocka_unit_test(test_iat_is_not_checked),
        cmocka_unit_test(test_a_far_end_can_be_written),
        cmocka_unit_test(test_issuer),
        cmocka_unit_test(test_audience),
        cmocka_unit_test(test_order_of_checks),
        cmocka_unit_test(test_scope_and_environment),
        cmocka_unit_test(test_partition),
        cmocka_unit_test(test_length),
        cmocka_unit_test(test_signing_needs_memory_and_a_private_key),
        cmocka_unit_test(test_requests_use_no_new),
        cmocka_unit_test(test_names_of_refusals),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
