#include "callers.hpp"

#include "auth/caller.hpp"
#include "http/errors.hpp"

namespace api {

namespace {

ngx::Content not_authenticated(ngx::Request& request)
{
    co_return http::errors::not_authenticated(request);
}

ngx::Content not_permitted(ngx::Request& request)
{
    co_return http::errors::not_permitted(request);
}

} // namespace

ngx_int_t serve_callers(ngx_http_request_t* r, Coroutine (*choose)(ngx_http_request_t*, http::Context&))
{
    auto* context = http::Context::get(r);
    if (!context)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    auto caller = auth::find_caller(r);
    if (!caller)
        return ngx::serve(r, caller.error() == auth::NoCaller::nobody ? not_authenticated : not_permitted);
    context->caller = *caller;
    return ngx::serve(r, choose(r, *context));
}

} // namespace api
