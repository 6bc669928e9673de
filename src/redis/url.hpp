#pragma once

#include "connection.hpp"

namespace redis {

/// Reads `redis://host[:port][/database]` or `unix:/path` into `options`; a host by name is resolved now.
/// Answers what is wrong and what to do, or null.
const char* parse_url(ngx_conf_t* cf, std::string_view url, Options& options);

} // namespace redis
