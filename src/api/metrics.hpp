#pragma once

#include "ngx/nginx.hpp"

namespace api {

/// The content handler of `api_token_metrics;`: what was counted, in Prometheus' text format 0.0.4.
ngx_int_t handle_metrics(ngx_http_request_t* r);

/// Counts the answers to requests for operations from now on.
void count_answers();

} // namespace api
