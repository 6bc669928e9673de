#pragma once

#include "locator.hpp"

namespace redis {

/// Reads a URL of api_token_redis into `options`; hosts by name are resolved now. Answers what is wrong and
/// what to do, or null.
const char* parse_url(ngx_conf_t* cf, std::string_view url, Options& options);

/// What finds the Redis of these options; null when there is no memory.
Locator* make_locator(ngx_pool_t* pool, const Options& options);

} // namespace redis
