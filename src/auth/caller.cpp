#include "caller.hpp"

#include "token/pfid.hpp"

namespace auth {

namespace {

/// Empty where there is no such value.
std::string_view evaluate(ngx_http_request_t* r, ngx_http_complex_value_t* value)
{
    ngx_str_t text = ngx_null_string;
    if (value && ngx_http_complex_value(r, value, &text) != NGX_OK)
        return {};
    return ngx::view(text);
}

using api_token::Refusal;
using Found = api_token::Result<http::Caller, Refusal>;

Found caller_of(const api_token::Identity& identity)
{
    auto account = identity.has_account ? identity.account_id.view() : std::string_view();
    if (identity.is_admin())
        return http::Caller{account, identity.admin_user_id.view(), {}};
    if (identity.scope != api_token::Scope::account)
        return Refusal::scope;
    return http::Caller{account, {}, identity.token_id.view()};
}

Found caller_of_nginx(ngx_http_request_t* r, const http::Settings& settings)
{
    auto account = evaluate(r, settings.caller_account);
    auto admin_user = evaluate(r, settings.caller_admin_user);
    if (!admin_user.empty() && !api_token::is_pfid(admin_user))
        return Refusal::missing;
    if (account == "any")
        return http::Caller{{}, admin_user, {}};
    if (!api_token::is_pfid(account))
        return Refusal::missing;
    return http::Caller{account, admin_user, {}};
}

} // namespace

/// With `satisfy any` another module may have let in who was refused by the check.
Found find_caller(ngx_http_request_t* r)
{
    const auto& presented = http::Context::find(r)->presented;
    if (presented.verdict == NGX_OK)
        return caller_of(presented.identity);
    if (presented.verdict && presented.refusal != Refusal::missing)
        return *presented.refusal;
    return caller_of_nginx(r, http::Settings::of(r));
}

} // namespace auth
