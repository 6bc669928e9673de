#pragma once

#include "http/context.hpp"
#include "token/result.hpp"

namespace auth {

/// Why there is no caller.
enum class NoCaller { nobody, environment_token };

/// Who calls the API: whoever auth_api_token let in, by an account's token or an admin's JWT; else whoever
/// nginx has authenticated, by api_token_caller. An account that is empty or no PFID, and an admin user that
/// is no PFID, is nobody.
api_token::Result<http::Caller, NoCaller> find_caller(ngx_http_request_t* r);

} // namespace auth
