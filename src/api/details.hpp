#pragma once

#include "ngx/answer.hpp"
#include "token/token.hpp"

namespace api {

/// 200 {details, status}
ngx::Answer details_answer(ngx::Request& request, const api_token::Token& token);

} // namespace api
