#include "jwks.hpp"

#include "http/errors.hpp"
#include "http/settings.hpp"

namespace api {

namespace {

ngx::Content jwks(ngx::Request& request)
{
    const auto& settings = http::Settings::of(request.r());
    if (!(request.r()->method & (NGX_HTTP_GET | NGX_HTTP_HEAD)))
        co_return http::errors::method_not_allowed("GET, HEAD");
    ngx::Answer answer;
    answer.status = NGX_HTTP_OK;
    answer.body = ngx::view(settings.jwks);
    answer.entity_tag = ngx::view(settings.jwks_etag);
    co_return answer.with("Cache-Control", "public, max-age=300");
}

} // namespace

ngx_int_t handle_jwks(ngx_http_request_t* r)
{
    return ngx::serve(r, jwks);
}

} // namespace api
