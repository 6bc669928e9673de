#pragma once

#include "json.hpp"
#include "key.hpp"
#include "result.hpp"
#include "timestamp.hpp"
#include "token.hpp"

#include <span>
#include <string_view>

namespace api_token {

/// Characters of a compact JWS (RFC 7515 §7.1) of `claims` characters of payload that `key` signs, at most.
std::size_t jwt_capacity(const Key& key, std::size_t claims);

/// Signs `claims`, JSON text, under the header {"alg","typ"[,"kid"]}. Answers the part of `out` that was
/// written, empty when the key cannot sign, `out` is too small or OpenSSL fails.
std::string_view sign_jwt(const Key& key, std::string_view claims, std::span<char> out);

/// Why a token was refused, by the words of $api_token_error.
enum class Refusal {
    missing,
    malformed,
    key,
    signature,
    issuer,
    audience,
    expired,
    early,
    unknown,
    suspended,
    revoked,
    scope,
    unavailable
};

inline constexpr std::size_t refusals = static_cast<std::size_t>(Refusal::unavailable) + 1;

std::string_view name(Refusal refusal);

/// Characters of a token at most; a longer one is malformed.
inline constexpr std::size_t jwt_max_length = 8192;

/// What a token must hold to, beside its signature. An empty text is not asked for.
struct ClaimRules {
    std::string_view issuer;
    std::string_view audience;
    Seconds now;
};

/// The claims of an API token, or of an admin, as they were signed. The texts live in `document`.
struct Claims {
    Json document;
    std::string_view sub;
    /// Not an admin's.
    std::string_view jti;
    /// Not an admin's: token_scope.
    Scope scope = Scope::account;
    /// Not an admin's; empty without one.
    std::string_view environment_id;
    /// An admin's: the account it acts for, empty for any.
    std::string_view account_id;
    /// `iat`, which nothing was checked of; 0 where it is no time from 0 to last_second.
    Seconds issued_at = 0;
    /// A later one counts as last_second, so that it can be written.
    Seconds expires_at = 0;
};

/// Verifies an API token of this service (RFC 7519 §7.2, RFC 8725 §3): three canonical base64url parts;
/// header and claims without a duplicate member; no `crit`; the algorithm that the key has, not the one that
/// the header asks for; `kid` chooses among keys, and without one each key of the header's algorithm is
/// tried; `exp` is required, `nbf` honoured, `iss` and `aud` as `rules` say; `sub` and `jti` are PFIDs of one
/// partition, `token_scope` is a scope and `environment_id` a PFID where that asks for one. Checked in this
/// order, and the first that fails is the answer: form, key, signature, `iss`, `aud`, `nbf`, `exp`, the rest.
/// A key must not be null.
Result<Claims, Refusal> verify_token(std::string_view token, std::span<const Key* const> keys,
                                     const ClaimRules& rules);

/// Verifies an admin's JWT in the same way: `sub` is the admin user's PFID, `account_id` absent or a PFID.
Result<Claims, Refusal> verify_admin(std::string_view token, std::span<const Key* const> keys,
                                     const ClaimRules& rules);

} // namespace api_token
