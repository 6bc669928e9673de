#pragma once

#include "ngx/answer.hpp"

namespace api {

/// POST /: makes a token.
ngx::Content create(ngx::Request& request);

} // namespace api
