#pragma once

#include "route.hpp"
#include "settings.hpp"
#include "token/identity.hpp"
#include "token/token.hpp"

#include <optional>
#include <string_view>

namespace http {

/// Who calls the API.
struct Caller {
    /// The account acted for; empty for any.
    std::string_view account_id;
    /// Empty where it is no admin user.
    std::string_view admin_user_id;
    /// The API token that it calls with; empty where it is none.
    std::string_view token_id;

    bool may_act_for(std::string_view account) const { return account_id.empty() || account_id == account; }
};

/// What a request presents as a token, and what came of the check.
struct Presented {
    /// What the token was looked at with, and the token; null before.
    const Settings* settings = nullptr;
    std::string_view token;
    bool is_waiting = false;
    /// What the check answers the access phase, once it has decided.
    std::optional<ngx_int_t> verdict;
    std::optional<api_token::Refusal> refusal;
    /// Where there is no refusal.
    api_token::Identity identity;
    api_token::Sha256 digest;
    std::optional<store::Known> known;
    /// The challenge of a refusal, and the body that goes with it.
    ngx_table_elt_t* challenge = nullptr;
    std::string_view refusal_body;
};

/// What is known of a request, for variables, filters and the routes. It lies in the request's pool.
struct Context {
    Presented presented;
    /// Whether nginx's own error page is replaced, and by what; empty once that is sent.
    bool is_error_replaced = false;
    std::string_view error_body;
    Caller caller;
    Route route;
    std::string_view created_id;

    /// Null where the request has none.
    static Context* find(const ngx_http_request_t* r)
    {
        return static_cast<Context*>(ngx_http_get_module_ctx(r, ngx_http_api_token_module));
    }

    /// What was known where the check refused, for the log, also behind an internal redirect; null where it
    /// did not.
    static const Context* find_kept(const ngx_http_request_t* r);

    /// Null when there is no memory.
    static Context* get(ngx_http_request_t* r);

    /// Keeps it for find_kept. False when there is no memory.
    bool keep(ngx_http_request_t* r);
};

} // namespace http
