#include "variables.hpp"

#include "check.hpp"
#include "http/context.hpp"

namespace auth {

namespace {

using api_token::Identity;
using api_token::Operation;

Text text_of(const api_token::Pfid& pfid, bool is_there)
{
    return is_there ? pfid.view() : Text();
}

const Identity* presented_token(ngx_http_request_t* r)
{
    auto* identity = presented_identity(r);
    return identity && !identity->is_admin() ? identity : nullptr;
}

/// Of the location that an error_page led to, if its check or its API gives another answer than the check
/// that refused; else what was known where that was.
const http::Context* context_of(ngx_http_request_t* r)
{
    auto* context = http::Context::find(r);
    auto* kept = http::Context::find_kept(r);
    bool is_ours = context && (context->presented.verdict || context->route.operation != Operation::none);
    bool is_kept = kept && (!is_ours || kept->presented.verdict == static_cast<ngx_int_t>(r->err_status));
    return is_kept ? kept : context;
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
    if (!context || context->route.operation == Operation::none)
        return {};
    return context->route.token_id.empty() ? context->created_id : context->route.token_id;
}

Text actor_id(ngx_http_request_t* r)
{
    auto* context = context_of(r);
    if (!context || context->route.operation == Operation::none)
        return {};
    const auto& caller = context->caller;
    for (auto text : {caller.admin_user_id, caller.token_id})
        if (!text.empty())
            return text;
    return caller.account_id;
}

} // namespace auth
