#pragma once

#include "fuzz.hpp"

#include "token/base64url.hpp"
#include "token/json.hpp"
#include "token/key.hpp"

/// What holds for the keys of a file, whatever its form.
namespace fuzz {

inline void check_header(const api_token::Key& key)
{
    std::string memory(key.header().size(), '\0');
    const auto text = api_token::base64url_decode(key.header(), memory);
    must(text.has_value());
    const api_token::Json header = api_token::parse_json_object(*text);
    const auto member = [&](const char* name) {
        return api_token::json_text(json_object_get(header.get(), name));
    };
    must(member("alg") == name(key.algorithm()) && member("typ") == "JWT" && member("kid") == key.kid());
}

/// Empty where the key does not sign.
inline std::string check_signature(const api_token::Key& key)
{
    std::string memory(key.signature_capacity(), '\0');
    std::string signature(key.sign("text", memory));
    must(key.can_sign() == !signature.empty());
    if (!signature.empty()) {
        must(key.verify("text", signature) && !key.verify("test", signature));
        std::string other = signature;
        other.back() = static_cast<char>(other.back() ^ 1);
        must(!key.verify("text", other));
    }
    return signature;
}

inline void check_public_half(const api_token::Key& key, std::string_view signature)
{
    const std::string jwk = key.public_jwk();
    const auto algorithm = name(key.algorithm());
    must(jwk.empty() == algorithm.starts_with("HS"));
    // whether OpenSSL takes a modulus that is not of two primes is chance; one that signs is
    const bool rsa = algorithm.starts_with("RS") || algorithm.starts_with("PS");
    if (jwk.empty() || (rsa && signature.empty())) {
        return;
    }
    const auto keys = api_token::load_keys(jwk);
    must(keys && keys->size() == 1);
    const api_token::Key& half = keys->front();
    must(half.algorithm() == key.algorithm() && half.kid() == key.kid() && !half.can_sign());
    must(half.fingerprint() == key.fingerprint() && half.public_jwk() == jwk);
    must(signature.empty() || half.verify("text", signature));
}

inline void check_keys(std::string_view bytes)
{
    const auto keys = api_token::load_keys(bytes);
    if (!keys) {
        must(!keys.error().empty());
        return;
    }
    must(!keys->empty());
    for (const api_token::Key& key : *keys) {
        check_header(key);
        check_public_half(key, check_signature(key));
    }
}

} // namespace fuzz
