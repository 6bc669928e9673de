#pragma once

#include "ngx/nginx.hpp"
#include "token/identity.hpp"

namespace auth {

/// auth_api_token in the access phase of a main request.
ngx_int_t check_main(ngx_http_request_t* r);

/// The same before the access phase of a subrequest, since nginx skips that phase there.
ngx_int_t check_subrequest(ngx_http_request_t* r);

/// The same before a `return` of the location, unless its `set` may yet say what is checked.
ngx_int_t check_subrequest_early(ngx_http_request_t* r);

/// Makes a subrequest fail that a location answers before it was checked.
void install_subrequest_filter();

/// Whose token the request presents: before the check has decided, whoever signature, issuer, audience and
/// times speak for; after it, whoever it let in. Null where that is nobody, or the check is off.
const api_token::Identity* presented_identity(ngx_http_request_t* r);

} // namespace auth
