#pragma once

#include "json.hpp"
#include "operation.hpp"
#include "timestamp.hpp"

#include <optional>
#include <string_view>

namespace api_token {

enum class Scope { account, environment };

/// What a token's record says of it. Whether it is expired, time alone decides.
enum class StoredStatus { active, suspended, revoked };
enum class Status { active, suspended, revoked, expired };

/// The record of a token. The texts belong to whoever made it; an empty one is null, and so is a time of 0.
struct Token {
    std::string_view id;
    std::string_view account_id;
    std::string_view environment_id;
    std::string_view created_by_admin_user_id;
    Scope scope = Scope::account;
    StoredStatus stored_status = StoredStatus::active;
    Seconds inserted_at = 0;
    Seconds updated_at = 0;
    Seconds expires_at = 0;
    Seconds last_used_at = 0;
};

std::string_view name(Scope scope);
std::string_view name(StoredStatus status);
std::string_view name(Status status);

std::optional<Scope> parse_scope(std::string_view text);
std::optional<StoredStatus> parse_stored_status(std::string_view text);

/// A token is expired from the second `expires_at` on, unless it was revoked.
Status status_at(const Token& token, Seconds now);

/// The one table of what may be done to a token; an expired one may be revoked until it was.
bool allows(Status status, Operation action);

/// Characters that write_details and write_summary take at most.
inline constexpr std::size_t details_capacity = 640;

/// The object `details` of an answer, members in alphabetical order.
void write_details(Writer& out, const Token& token, Seconds now);

/// The same without `available_actions`, as lists show it.
void write_summary(Writer& out, const Token& token, Seconds now);

/// The claims of a token's JWT (RFC 7519 §4): iss, aud, sub, jti, iat, exp, token_scope, environment_id. An
/// empty issuer or audience is left out.
void write_claims(Writer& out, const Token& token, std::string_view issuer, std::string_view audience);

/// Characters that write_claims takes at most with this issuer and audience, however they are escaped.
std::size_t claims_capacity(std::string_view issuer, std::string_view audience);

} // namespace api_token
