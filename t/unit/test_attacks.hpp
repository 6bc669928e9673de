#pragma once

#include "test_jwt.hpp"

#include <openssl/err.h>

/// The keys of a server under attack: one of each family, with and without a kid.
struct Server {
    api_token::Key rsa = load_one(Jwk("rsa").text());
    api_token::Key ec = load_one(Jwk("es256").with_text("kid", "ec").text());
    api_token::Key secret = load_one(Jwk("hs256").with_text("kid", "secret").text());
    api_token::Key edwards = load_one(Jwk("eddsa").text());
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

inline const Server& server()
{
    static const Server one;
    return one;
}

/// Forged tokens leave nothing behind: what was valid is valid, and OpenSSL's queue is empty.
inline void assert_unharmed(std::string_view row)
{
    assert_row(ERR_peek_error() == 0, row);
    assert_row(server().check(server().valid_rsa) == "passes", row);
    assert_row(server().check(server().valid_ec) == "passes", row);
    assert_row(server().check(server().valid_secret) == "passes", row);
    assert_row(server().check_admin(server().valid_admin) == "passes", row);
}

/// Refuses `token` with this word, as an API token's and as an admin's.
inline void attack(std::string_view token, std::string_view verdict)
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

inline std::string part(std::string_view token, int number)
{
    for (; number > 0; --number) {
        token.remove_prefix(token.find('.') + 1);
    }
    return std::string(token.substr(0, token.find('.')));
}

/// Signs two parts as they are, however they are spelt.
inline std::string sign_text(const api_token::Key& key, const std::string& header, const std::string& claims)
{
    const std::string input = header + '.' + claims;
    return input + '.' + encode(sign(key, input));
}

inline std::string rsa_with_header(std::string_view header)
{
    return forge(server().rsa, header, account_claims().text());
}

inline std::string rsa_with_claims(std::string_view claims)
{
    return forge(server().rsa, R"({"alg":"RS256","typ":"JWT"})", claims);
}
