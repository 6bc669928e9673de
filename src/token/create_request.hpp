#pragma once

#include "json.hpp"
#include "result.hpp"
#include "token.hpp"

#include <optional>
#include <string_view>

namespace api_token {

/// What a location allows of new tokens.
struct CreateRules {
    Seconds ttl;
    std::optional<Seconds> max_ttl;
    /// Whether an environment's partition must be its account's.
    bool environment_check;
};

/// A create request that holds to the rules. The texts live as long as `document`, the caller's account and
/// the header do.
struct CreateRequest {
    Json document;
    Scope scope;
    std::string_view account_id;
    /// Empty for an account's token.
    std::string_view environment_id;
    Seconds expires_at;
    /// Whether the client chose `expires_at`: otherwise the same request later means another time.
    bool expires_at_given;
    /// Why no new token may have this `expires_at`, null where one may. Only with an idempotency key, whose
    /// first token may be there all the same.
    const char* expiry_problem;
    /// Empty without one.
    std::string_view idempotency_key;
};

/// Why a create request is refused.
struct CreateError {
    /// {"field": ["message", …]}; null where the body is no JSON object at all, or memory ran out.
    Json errors;
};

/// The error of a request whose idempotency key turned out to be new.
CreateError expiry_error(const CreateRequest& request);

/// Reads the body of a create request: an ApiToken_DetailsForCreate under `details` or at the top, and an
/// `idempotency_key` beside it. All errors come at once. `default_account` is the caller's account, a PFID,
/// or empty where the caller has none of its own: then the body must name one. `header_key` is the header
/// Idempotency-Key, where there is one.
Result<CreateRequest, CreateError> parse_create(std::string_view body, std::string_view default_account,
                                                std::optional<std::string_view> header_key,
                                                const CreateRules& rules, Seconds now);

} // namespace api_token
