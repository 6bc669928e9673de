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

} // namespace

std::optional<http::Caller> find_caller(ngx_http_request_t* r)
{
    const auto& settings = http::Settings::of(r);
    auto account = evaluate(r, settings.caller_account);
    auto admin_user = evaluate(r, settings.caller_admin_user);
    if (!admin_user.empty() && !api_token::is_pfid(admin_user))
        return std::nullopt;
    if (account == "any")
        return http::Caller{{}, admin_user};
    if (!api_token::is_pfid(account))
        return std::nullopt;
    return http::Caller{account, admin_user};
}

} // namespace auth
