#pragma once

#include "ngx/nginx.hpp"

namespace http {

/// Hangs in the filters that put our JSON in the place of nginx's own error pages (413, a `deny`, a
/// `limit_req` …).
void install_error_filter();

} // namespace http
