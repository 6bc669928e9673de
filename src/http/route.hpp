#pragma once

#include "ngx/nginx.hpp"
#include "token/operation.hpp"

namespace http {

/// What a request to a location of this module asks for.
struct Route {
    api_token::Operation operation{};
    /// The token that the path names; empty where it names none.
    std::string_view token_id;
    /// The methods that the path has, where it has not the request's.
    std::string_view allowed_methods;
};

/// By method and path: below `api_token` none, /ID, /ID/TRANSITION. Elsewhere there is nothing to ask for.
Route find_route(const ngx_http_request_t* r);

} // namespace http
