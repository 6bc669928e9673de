#pragma once

#include "ngx/nginx.hpp"

#include <string_view>

namespace auth {

using Text = std::string_view;

// The values of nginx's variables, each `api_token_` and the name of its function. Empty where there is
// nothing to say.

/// Of the token that the check let in; before it, of the token that the request presents.
Text token_id(ngx_http_request_t* r);
Text account_id(ngx_http_request_t* r);
Text environment_id(ngx_http_request_t* r);
Text scope(ngx_http_request_t* r);
Text expires_at(ngx_http_request_t* r);
Text admin_user_id(ngx_http_request_t* r);

/// Why the check refused, in one word.
Text error(ngx_http_request_t* r);

/// Of a request to the API: what it did, to which token, and who.
Text created_id(ngx_http_request_t* r);
Text action(ngx_http_request_t* r);
Text target_id(ngx_http_request_t* r);
Text actor_id(ngx_http_request_t* r);

} // namespace auth
