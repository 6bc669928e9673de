#pragma once

#include "json.hpp"
#include "key_state.hpp"

#include <string>
#include <string_view>

namespace api_token {

/// Reads the members of a JWK that hold bytes (RFC 7518 §6). The first error stays.
class JwkMembers {
public:
    explicit JwkMembers(const json_t* jwk) : jwk_(jwk) {}

    bool has(const char* member) const { return json_object_get(jwk_, member) != nullptr; }
    std::string_view text(const char* member) const { return json_text(json_object_get(jwk_, member)); }

    /// Of any length but none.
    openssl::Wiped bytes(const char* member);
    /// Of the full `width` (RFC 7518 §6.2.1.2: leading zeros are written).
    openssl::Wiped bytes(const char* member, std::size_t width);

    const std::string& error() const { return error_; }

private:
    void fail(const char* member, std::string_view what);

    const json_t* jwk_;
    std::string error_;
};

/// What a JWK says of its use (RFC 7517 §4.2 to §4.5): `use` is sig, `key_ops` holds sign or verify, `alg` is
/// an algorithm of this module, `kid` a short text.
Result<KeyLabel, std::string> read_label(const json_t* jwk);

} // namespace api_token
