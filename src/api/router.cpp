#include "router.hpp"

#include "callers.hpp"
#include "http/errors.hpp"
#include "routes.hpp"
#include "token/pfid.hpp"

namespace api {

namespace {

using api_token::Action;

ngx::Content not_found(ngx::Request&)
{
    co_return http::errors::not_found();
}
ngx::Content collection_method(ngx::Request&)
{
    co_return http::errors::method_not_allowed("GET, HEAD, POST");
}
ngx::Content token_method(ngx::Request&)
{
    co_return http::errors::method_not_allowed("GET, HEAD, DELETE");
}
ngx::Content transition_method(ngx::Request&)
{
    co_return http::errors::method_not_allowed("POST");
}

struct Route {
    Coroutine coroutine;
    /// By the words of $api_token_action; empty for what is answered with an error.
    std::string_view operation;
    Action action{};
};

constexpr struct {
    std::string_view segment;
    Action action;
} transitions[] = {{"activate", Action::activate}, {"revoke", Action::revoke}, {"suspend", Action::suspend}};

/// The path below the location: below the text that a prefix or exact location is named by, below the last
/// segment `api_token` of a location that is a regular expression.
std::string_view path_below(ngx_http_request_t* r)
{
    auto path = ngx::view(r->uri);
    auto* location =
        static_cast<ngx_http_core_loc_conf_t*>(ngx_http_get_module_loc_conf(r, ngx_http_core_module));
    auto root = location->name.len;
    if (http::Settings::of(r).is_regex) {
        constexpr std::string_view segment = "/api_token";
        auto at = path.rfind(segment);
        root = at == path.npos ? path.size() : at + segment.size();
    }
    return path.substr(ngx_min(root, path.size()));
}

/// Whether the location's name ends in a slash, which the path below it then lacks.
bool ends_in_slash(ngx_http_request_t* r)
{
    auto* location =
        static_cast<ngx_http_core_loc_conf_t*>(ngx_http_get_module_loc_conf(r, ngx_http_core_module));
    return !http::Settings::of(r).is_regex && ngx::view(location->name).ends_with('/');
}

Route route_of_collection(ngx_uint_t method)
{
    if (method == NGX_HTTP_POST)
        return {create, "create"};
    if (method & (NGX_HTTP_GET | NGX_HTTP_HEAD))
        return {list, "list"};
    return {collection_method, {}};
}

Route route_of_token(ngx_uint_t method)
{
    if (method & (NGX_HTTP_GET | NGX_HTTP_HEAD))
        return {retrieve, "retrieve"};
    if (method == NGX_HTTP_DELETE)
        return {remove, "delete", Action::remove};
    return {token_method, {}};
}

Route route_of_transition(ngx_uint_t method, std::string_view segment)
{
    for (const auto& known : transitions)
        if (segment == known.segment)
            return method == NGX_HTTP_POST ? Route{transition, known.segment, known.action}
                                           : Route{transition_method, {}};
    return {not_found, {}};
}

/// The paths below the location: none, /ID, /ID/TRANSITION.
Route find_route(ngx_http_request_t* r, std::string_view& target_id)
{
    auto path = path_below(r);
    if (path.empty())
        return route_of_collection(r->method);
    if (!ends_in_slash(r)) {
        if (path.front() != '/')
            return {not_found, {}};
        path.remove_prefix(1);
    }
    auto slash = path.find('/');
    if (!api_token::is_pfid(path.substr(0, slash)))
        return {not_found, {}};
    target_id = path.substr(0, slash);
    return slash == path.npos ? route_of_token(r->method)
                              : route_of_transition(r->method, path.substr(slash + 1));
}

Coroutine choose(ngx_http_request_t* r, http::Context& context)
{
    auto route = find_route(r, context.target_id);
    context.operation = route.operation;
    context.action = route.action;
    return route.coroutine;
}

} // namespace

ngx_int_t handle(ngx_http_request_t* r)
{
    return serve_callers(r, choose);
}

} // namespace api
