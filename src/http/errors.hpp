#pragma once

#include "ngx/answer.hpp"
#include "redis/reply.hpp"
#include "token/json.hpp"
#include "token/jwt.hpp"

namespace http {

/// The answers that are errors: {"code", "message", "status": "error"}, in the words of the interface.
namespace errors {

ngx::Answer not_permitted(ngx::Request& request);
ngx::Answer not_found();
ngx::Answer method_not_allowed(std::string_view allowed);
ngx::Answer unsupported_media_type();
ngx::Answer form_wanted();
ngx::Answer bad_json();
ngx::Answer bad_query(ngx::Request& request, std::string_view sentence);
ngx::Answer body_not_wanted();
ngx::Answer invalid_action();
ngx::Answer idempotency_key_used();
ngx::Answer idempotency_key_deleted();
ngx::Answer validation(ngx::Request& request, const json_t* errors);
ngx::Answer unexpected();
/// 503 with Retry-After.
ngx::Answer not_replicated();
/// 503 with Retry-After, or 500 where trying again does not help.
ngx::Answer of(redis::Failure failure);
/// As the check answers that refuses; `unavailable`, which has no challenge, is answered by nginx before.
ngx::Answer of(ngx::Request& request, api_token::Refusal refusal);

} // namespace errors

/// How a check that refuses is answered, where nginx answers it.
struct RefusalAnswer {
    ngx_int_t status;
    std::string_view body;
    /// What the challenge says behind the realm; null where there is no challenge.
    const char* challenge;
};

RefusalAnswer answer_of(api_token::Refusal refusal);

/// `Bearer realm="…"` and what follows; a null pointer when there is no memory.
std::string_view challenge(ngx_http_request_t* r, std::string_view rest);

/// An answer of JSON that may not be cached.
ngx::Answer json_answer(ngx_int_t status, std::string_view body);

/// The body for an error that nginx answers with `status` by itself.
std::string_view body_of_status(ngx_uint_t status);

} // namespace http
