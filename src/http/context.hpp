#pragma once

#include "settings.hpp"
#include "token/token.hpp"

#include <string_view>

namespace http {

/// Who calls the API.
struct Caller {
    /// The account acted for; empty for any.
    std::string_view account_id;
    /// Empty where it is no admin user.
    std::string_view admin_user_id;

    bool may_act_for(std::string_view account) const { return account_id.empty() || account_id == account; }
};

/// What is known of a request, for variables, filters and the routes. It lies in the request's pool.
struct Context {
    /// Whether nginx's own error page is to be replaced.
    bool replaces_body = false;
    Caller caller;
    /// What the route does, and to which token, where it does it to one.
    std::string_view operation;
    api_token::Action action{};
    std::string_view target_id;
    std::string_view created_id;

    /// Null where the request has none.
    static Context* find(const ngx_http_request_t* r)
    {
        return static_cast<Context*>(ngx_http_get_module_ctx(r, ngx_http_api_token_module));
    }

    /// Null when there is no memory.
    static Context* get(ngx_http_request_t* r)
    {
        if (auto* context = find(r))
            return context;
        auto* memory = ngx_palloc(r->pool, sizeof(Context));
        if (!memory)
            return nullptr;
        auto* context = new (memory) Context;
        ngx_http_set_ctx(r, context, ngx_http_api_token_module);
        return context;
    }
};

} // namespace http
