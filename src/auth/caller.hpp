#pragma once

#include "http/context.hpp"
#include "token/result.hpp"

namespace auth {

/// Who calls the API: whoever auth_api_token let in, by an account's token or an admin's JWT; where no token
/// is presented, whoever nginx has authenticated, by api_token_caller. An account that is empty or no PFID,
/// and an admin user that is no PFID, is nobody: `missing`. An environment's token is of another `scope`.
api_token::Result<http::Caller, api_token::Refusal> find_caller(ngx_http_request_t* r);

} // namespace auth
