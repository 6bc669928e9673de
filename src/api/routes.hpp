#pragma once

#include "ngx/answer.hpp"

namespace api {

// The coroutines of the routes. The request's Context says who calls, and to which token it is done.

ngx::Content create(ngx::Request& request);
ngx::Content list(ngx::Request& request);
ngx::Content retrieve(ngx::Request& request);
/// suspend, activate, revoke and delete, which reads no body
ngx::Content transition(ngx::Request& request);
/// RFC 7662
ngx::Content introspect(ngx::Request& request);

} // namespace api
