#pragma once

#include "ngx/nginx.hpp"

namespace api {

/// The content handler of `api_token_jwks;`: the JWK set (RFC 7517 §5) of the location's public keys, for
/// whoever asks.
ngx_int_t handle_jwks(ngx_http_request_t* r);

} // namespace api
