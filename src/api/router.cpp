#include "router.hpp"

#include "auth/caller.hpp"
#include "http/errors.hpp"
#include "routes.hpp"

namespace api {

namespace {

ngx::Content not_authenticated(ngx::Request& request)
{
    co_return http::errors::not_authenticated(request);
}
ngx::Content not_found(ngx::Request&)
{
    co_return http::errors::not_found();
}
ngx::Content collection_method(ngx::Request&)
{
    co_return http::errors::method_not_allowed("POST");
}

/// The path below the location: below the text that a prefix or exact location is named by, below the last
/// segment `api_token` of a location that is a regular expression.
std::string_view path_below(ngx_http_request_t* r)
{
    auto path = ngx::view(r->uri);
    auto* location =
        static_cast<ngx_http_core_loc_conf_t*>(ngx_http_get_module_loc_conf(r, ngx_http_core_module));
    auto root = location->name.len;
#if (NGX_PCRE)
    if (location->regex) {
        constexpr std::string_view segment = "/api_token";
        auto at = path.rfind(segment);
        root = at == path.npos ? path.size() : at + segment.size();
    }
#endif
    return path.substr(ngx_min(root, path.size()));
}

using Route = ngx::Content (*)(ngx::Request&);

Route find_route(ngx_http_request_t* r)
{
    if (!path_below(r).empty())
        return not_found;
    return r->method == NGX_HTTP_POST ? create : collection_method;
}

} // namespace

ngx_int_t handle(ngx_http_request_t* r)
{
    auto* context = http::Context::get(r);
    if (!context)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    auto caller = auth::find_caller(r);
    if (!caller)
        return ngx::serve(r, not_authenticated);
    context->caller = *caller;
    return ngx::serve(r, find_route(r));
}

} // namespace api
