#include "router.hpp"

#include "auth/caller.hpp"
#include "http/context.hpp"
#include "http/errors.hpp"
#include "routes.hpp"

namespace api {

namespace {

using api_token::Operation;

ngx::Content no_caller(ngx::Request& request)
{
    co_return http::errors::of(request, auth::find_caller(request.r()).error());
}

ngx::Content no_operation(ngx::Request& request)
{
    auto allowed = http::Context::find(request.r())->route.allowed_methods;
    co_return allowed.empty() ? http::errors::not_found() : http::errors::method_not_allowed(allowed);
}

using Coroutine = ngx::Content (*)(ngx::Request&);

Coroutine coroutine_of(Operation operation)
{
    switch (operation) {
    case Operation::create:
        return create;
    case Operation::list:
        return list;
    case Operation::retrieve:
        return retrieve;
    case Operation::suspend:
    case Operation::activate:
    case Operation::revoke:
    case Operation::remove:
        return transition;
    case Operation::introspect:
        return introspect;
    case Operation::none:
        break;
    }
    return no_operation;
}

} // namespace

ngx_int_t handle(ngx_http_request_t* r)
{
    auto* context = http::Context::get(r);
    if (!context)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    // a context that was made in the rewrite phase knows an older path
    context->route = http::find_route(r);
    auto caller = auth::find_caller(r);
    if (!caller) {
        // an environment's token may do nothing, and is still who tried
        if (context->presented.verdict == NGX_OK)
            context->caller.token_id = context->presented.identity.token_id.view();
        return ngx::serve(r, no_caller);
    }
    context->caller = *caller;
    return ngx::serve(r, coroutine_of(context->route.operation));
}

} // namespace api
