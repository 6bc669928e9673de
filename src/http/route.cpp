#include "route.hpp"

#include "settings.hpp"
#include "token/pfid.hpp"

namespace http {

namespace {

using api_token::Operation;

/// Below no location: neither empty nor behind a slash.
constexpr std::string_view nowhere = "-";

const ngx_http_core_loc_conf_t& location_of(const ngx_http_request_t* r)
{
    return *static_cast<ngx_http_core_loc_conf_t*>(ngx_http_get_module_loc_conf(r, ngx_http_core_module));
}

/// The path below the location: below the text that a prefix or exact location is named by, below the last
/// segment `api_token` of a location that is a regular expression.
std::string_view path_below(const ngx_http_request_t* r)
{
    auto path = ngx::view(r->uri);
    auto root = location_of(r).name.len;
    if (Settings::of(r).is_nameless) {
        constexpr std::string_view segment = "/api_token";
        auto at = path.rfind(segment);
        if (at == path.npos)
            return nowhere;
        root = at + segment.size();
    }
    return path.substr(ngx_min(root, path.size()));
}

/// Whether the location's name ends in a slash, which the path below it then lacks.
bool ends_in_slash(const ngx_http_request_t* r)
{
    return !Settings::of(r).is_nameless && ngx::view(location_of(r).name).ends_with('/');
}

Route route_of_collection(ngx_uint_t method)
{
    if (method == NGX_HTTP_POST)
        return {Operation::create, {}, {}};
    if (method & (NGX_HTTP_GET | NGX_HTTP_HEAD))
        return {Operation::list, {}, {}};
    return {Operation::none, {}, "GET, HEAD, POST"};
}

Route route_of_token(ngx_uint_t method, std::string_view token_id)
{
    if (method & (NGX_HTTP_GET | NGX_HTTP_HEAD))
        return {Operation::retrieve, token_id, {}};
    if (method == NGX_HTTP_DELETE)
        return {Operation::remove, token_id, {}};
    return {Operation::none, token_id, "GET, HEAD, DELETE"};
}

Route route_of_transition(ngx_uint_t method, std::string_view token_id, std::string_view segment)
{
    for (auto transition : {Operation::suspend, Operation::activate, Operation::revoke})
        if (segment == name(transition))
            return method == NGX_HTTP_POST ? Route{transition, token_id, {}}
                                           : Route{Operation::none, token_id, "POST"};
    return {};
}

Route route_of_api(const ngx_http_request_t* r)
{
    auto path = path_below(r);
    if (path.empty())
        return route_of_collection(r->method);
    if (!ends_in_slash(r)) {
        if (path.front() != '/')
            return {};
        path.remove_prefix(1);
    }
    auto slash = path.find('/');
    auto token_id = path.substr(0, slash);
    if (!api_token::is_pfid(token_id))
        return {};
    return slash == path.npos ? route_of_token(r->method, token_id)
                              : route_of_transition(r->method, token_id, path.substr(slash + 1));
}

} // namespace

Route find_route(const ngx_http_request_t* r)
{
    switch (Settings::of(r).served) {
    case Served::api:
        return route_of_api(r);
    case Served::introspection:
        return {r->method == NGX_HTTP_POST ? Operation::introspect : Operation::none, {}, "POST"};
    default:
        return {};
    }
}

} // namespace http
