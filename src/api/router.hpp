#pragma once

#include "ngx/nginx.hpp"

namespace api {

/// The content handler of `api_token;`: finds the caller, then the route.
ngx_int_t handle(ngx_http_request_t* r);

} // namespace api
