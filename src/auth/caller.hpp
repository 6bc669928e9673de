#pragma once

#include "http/context.hpp"
#include "ngx/request.hpp"

#include <optional>

namespace auth {

/// Who calls the API: whoever nginx has authenticated, by api_token_caller. Nothing where that is nobody: an
/// account that is empty or no PFID, an admin user that is no PFID.
std::optional<http::Caller> find_caller(ngx_http_request_t* r);

} // namespace auth
