#pragma once

#include "ngx/nginx.hpp"

namespace api {

/// The content handler of `api_token_introspect;` (RFC 7662): tells callers of the API of tokens that they
/// may act for.
ngx_int_t handle_introspect(ngx_http_request_t* r);

} // namespace api
