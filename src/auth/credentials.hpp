#pragma once

#include "http/context.hpp"

namespace auth {

/// Looks at a token: whose it is, or why it is refused. What the cache knows is taken from there; otherwise
/// it is verified. Whether it is active is not asked. `use_interval` is 0 where this is no use of the token.
void examine(std::string_view token, const http::Settings& settings, time_t use_interval,
             http::Presented& presented);

/// Looks at the token that a request presents (RFC 6750 §2.1, or token=): whose it is, or why it is refused.
/// What the cache knows is taken from there; otherwise it is verified. Whether it is active is not asked. It
/// looks once, and again where a rewrite has since led to another location or has set another token.
http::Presented& look(ngx_http_request_t* r, http::Context& context);

/// Whether auth_api_token is on: its realm may come out as `off`.
bool is_checked(ngx_http_request_t* r);

} // namespace auth
