#pragma once

#include "http/context.hpp"
#include "ngx/answer.hpp"

namespace api {

using Coroutine = ngx::Content (*)(ngx::Request&);

/// Serves callers only: finds out who calls, for the request's Context, then runs the coroutine that `choose`
/// answers. Who is nobody gets 401, and the holder of an environment's token 403, whatever they ask for.
ngx_int_t serve_callers(ngx_http_request_t* r,
                        Coroutine (*choose)(ngx_http_request_t* r, http::Context& context));

} // namespace api
