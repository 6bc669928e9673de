#include "variables.hpp"

#include "check.hpp"
#include "http/context.hpp"

namespace auth {

namespace {

using api_token::Identity;

Text text_of(const api_token::Pfid& pfid, bool is_there)
{
    return is_there ? pfid.view() : Text();
}

const Identity* presented_token(ngx_http_request_t* r)
{
    auto* identity = presented_identity(r);
    return identity && !identity->is_admin() ? identity : nullptr;
}

/// Where the check refused, what it knew: an error_page may have led the request elsewhere.
const http::Context* context_of(ngx_http_request_t* r)
{
    auto* kept = http::Context::find_kept(r);
    return kept ? kept : http::Context::find(r);
}

} // namespace

Text token_id(ngx_http_request_t* r)
{
    auto* token = presented_token(r);
    return token ? token->token_id.view() : Text();
}

Text account_id(ngx_http_request_t* r)
{
    auto* identity = presented_identity(r);
    return identity ? text_of(identity->account_id, identity->has_account) : Text();
}

Text environment_id(ngx_http_request_t* r)
{
    auto* token = presented_token(r);
    return token ? text_of(token->environment_id, token->has_environment) : Text();
}

Text scope(ngx_http_request_t* r)
{
    auto* token = presented_token(r);
    return token ? name(token->scope) : Text();
}

Text expires_at(ngx_http_request_t* r)
{
    auto* identity = presented_identity(r);
    if (!identity)
        return {};
    auto time = api_token::format_date_time(identity->expires_at);
    return ngx::copy(r->pool, {time.data(), time.size()});
}

Text admin_user_id(ngx_http_request_t* r)
{
    auto* context = context_of(r);
    if (context && !context->caller.admin_user_id.empty())
        return context->caller.admin_user_id;
    auto* identity = presented_identity(r);
    return identity && identity->is_admin() ? identity->admin_user_id.view() : Text();
}

Text error(ngx_http_request_t* r)
{
    auto* context = context_of(r);
    bool is_refused = context && context->presented.verdict && context->presented.refusal;
    return is_refused ? name(*context->presented.refusal) : Text();
}

Text created_id(ngx_http_request_t* r)
{
    auto* context = context_of(r);
    return context ? context->created_id : Text();
}

Text action(ngx_http_request_t* r)
{
    auto* context = context_of(r);
    return context ? name(context->route.operation) : Text();
}

Text target_id(ngx_http_request_t* r)
{
    auto* context = context_of(r);
    if (!context || context->route.operation == api_token::Operation::none)
        return {};
    return context->route.token_id.empty() ? context->created_id : context->route.token_id;
}

Text actor_id(ngx_http_request_t* r)
{
    auto* context = context_of(r);
    if (!context || context->route.operation == api_token::Operation::none)
        return {};
    const auto& caller = context->caller;
    for (auto text : {caller.admin_user_id, caller.token_id})
        if (!text.empty())
            return text;
    return caller.account_id;
}

} // namespace auth
