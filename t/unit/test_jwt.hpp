#pragma once

#include "test_keys.hpp"

#include "token/jwt.hpp"

/// What the tests of JWTs share: a time, PFIDs of one partition, claims, and tokens that are put together by
/// hand.

inline constexpr api_token::Seconds now = 1800000000;
inline constexpr std::string_view account = "013xrzp12g3nqk8ngskn1wtxgka5b0nf";
inline constexpr std::string_view token_id = "01kx0000003nqk8n0123456789abcdef";
inline constexpr std::string_view environment = "013xrzp12g3nqk8nzxvq7jm2arsfg5h1";
inline constexpr std::string_view foreign_id = "01kx0000003nqk8p0123456789abcdef";
inline constexpr api_token::ClaimRules rules{"https://issuer.example", "api", now};

/// A JSON object that a test changes.
class Members {
public:
    explicit Members(std::string_view text) : object_(api_token::parse_json_object(text))
    {
        assert_non_null(object_.get());
    }

    /// `value` is JSON text, none takes the member out.
    Members& with(const char* member, std::string_view value)
    {
        json_object_del(object_.get(), member);
        if (!value.empty()) {
            json_t* parsed = json_loadb(value.data(), value.size(), JSON_DECODE_ANY, nullptr);
            assert_non_null(parsed);
            json_object_set_new(object_.get(), member, parsed);
        }
        return *this;
    }

    std::string text() const { return json_of(object_.get()); }

private:
    api_token::Json object_;
};

inline Members account_claims()
{
    return Members(R"({"iss":"https://issuer.example","aud":"api","sub":"013xrzp12g3nqk8ngskn1wtxgka5b0nf",)"
                   R"("jti":"01kx0000003nqk8n0123456789abcdef","iat":1700000000,"exp":1900000000,)"
                   R"("token_scope":"account"})");
}

inline Members environment_claims()
{
    Members claims = account_claims();
    claims.with("token_scope", R"("environment")")
        .with("environment_id", R"("013xrzp12g3nqk8nzxvq7jm2arsfg5h1")");
    return claims;
}

inline Members admin_claims()
{
    return Members(R"({"iss":"https://issuer.example","aud":"api","sub":"013xrzp12g3nqk8ngskn1wtxgka5b0nf",)"
                   R"("exp":1900000000,"account_id":"013xrzp12g3nqk8nzxvq7jm2arsfg5h1"})");
}

/// A token of any header and claims, signed by `key`.
inline std::string forge(const api_token::Key& key, std::string_view header, std::string_view claims)
{
    const std::string input = encode(header) + '.' + encode(claims);
    return input + '.' + encode(sign(key, input));
}

inline std::string make_jwt(const api_token::Key& key, std::string_view claims)
{
    std::string memory(api_token::jwt_capacity(key, claims.size()), '\0');
    return std::string(api_token::sign_jwt(key, claims, memory));
}

/// The word for the verdict on an API token: of $api_token_error, or "passes".
inline std::string_view check(std::string_view token, std::initializer_list<const api_token::Key*> keys,
                              const api_token::ClaimRules& asked = rules)
{
    const auto claims = api_token::verify_token(token, {keys.begin(), keys.size()}, asked);
    return claims ? std::string_view("passes") : name(claims.error());
}

inline std::string_view check_admin(std::string_view token, std::initializer_list<const api_token::Key*> keys,
                                    const api_token::ClaimRules& asked = rules)
{
    const auto claims = api_token::verify_admin(token, {keys.begin(), keys.size()}, asked);
    return claims ? std::string_view("passes") : name(claims.error());
}
