#pragma once

#include "ngx/nginx.hpp"

namespace api {

/// The content handler of `api_token;` and `api_token_introspect;`: serves callers only. Who is nobody gets
/// 401, and the holder of an environment's token 403, whatever they ask for.
ngx_int_t handle(ngx_http_request_t* r);

} // namespace api
