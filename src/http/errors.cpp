#include "errors.hpp"

#include "settings.hpp"

#define API_TOKEN_ERROR(code, message)                                                                       \
    "{\"code\":\"" code "\",\"message\":\"" message "\",\"status\":\"error\"}\n"

namespace http {

namespace {

constexpr std::string_view unavailable_body =
    API_TOKEN_ERROR("unexpected", "The token store cannot be asked at the moment; try again.");
constexpr std::string_view not_replicated_body =
    API_TOKEN_ERROR("unexpected", "It may have been stored, but too few replicas have confirmed it in time.");
constexpr std::string_view unexpected_body =
    API_TOKEN_ERROR("unexpected", "Something went wrong on the server.");
constexpr std::string_view not_authenticated_body =
    API_TOKEN_ERROR("not_authenticated", "The request carries no valid credentials.");
constexpr std::string_view not_permitted_body =
    API_TOKEN_ERROR("not_permitted", "The caller is not permitted to do this.");
constexpr std::string_view not_found_body = API_TOKEN_ERROR("not_found", "There is no such token or path.");

constexpr std::string_view bad_token_body = API_TOKEN_ERROR("bad_authtoken", "The token is not valid.");

constexpr const char* token_challenge = ", error=\"invalid_token\"";
constexpr const char* scope_challenge = ", error=\"insufficient_scope\"";
constexpr std::string_view default_realm = "api_token";

/// A quoted-string (RFC 9110 §5.6.4), without what no header may hold.
std::string_view quote(ngx_pool_t* pool, std::string_view text)
{
    auto memory = ngx::allocate(pool, 2 * text.size() + 2);
    if (memory.empty())
        return {};
    char* at = memory.data();
    *at++ = '"';
    for (char c : text) {
        if (c == '"' || c == '\\')
            *at++ = '\\';
        if (static_cast<unsigned char>(c) >= ' ' && c != '\x7f')
            *at++ = c;
    }
    *at++ = '"';
    return {memory.data(), static_cast<std::size_t>(at - memory.data())};
}

} // namespace

RefusalAnswer answer_of(api_token::Refusal refusal)
{
    switch (refusal) {
    case api_token::Refusal::missing:
        return {NGX_HTTP_UNAUTHORIZED, not_authenticated_body, ""};
    case api_token::Refusal::scope:
        return {NGX_HTTP_FORBIDDEN, not_permitted_body, scope_challenge};
    case api_token::Refusal::unavailable:
        return {NGX_HTTP_SERVICE_UNAVAILABLE, unavailable_body, nullptr};
    default:
        return {NGX_HTTP_UNAUTHORIZED, bad_token_body, token_challenge};
    }
}

std::string_view challenge(ngx_http_request_t* r, std::string_view rest)
{
    const auto& settings = Settings::of(r);
    auto realm = ngx::str(default_realm);
    if (settings.is_checked && ngx_http_complex_value(r, settings.realm, &realm) != NGX_OK)
        return {};
    auto quoted = quote(r->pool, ngx::view(realm));
    return quoted.data() ? ngx::concat(r->pool, {"Bearer realm=", quoted, rest}) : quoted;
}

ngx::Answer json_answer(ngx_int_t status, std::string_view body)
{
    ngx::Answer answer;
    answer.status = status;
    answer.body = body;
    return answer.with("Cache-Control", "no-store");
}

namespace errors {

ngx::Answer not_permitted(ngx::Request& request)
{
    return of(request, api_token::Refusal::scope);
}

ngx::Answer not_found()
{
    return json_answer(NGX_HTTP_NOT_FOUND, not_found_body);
}

ngx::Answer method_not_allowed(std::string_view allowed)
{
    return json_answer(NGX_HTTP_NOT_ALLOWED, body_of_status(NGX_HTTP_NOT_ALLOWED)).with("Allow", allowed);
}

ngx::Answer unsupported_media_type()
{
    return json_answer(NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                       API_TOKEN_ERROR("bad_request", "The body must be application/json."));
}

ngx::Answer form_wanted()
{
    return json_answer(NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                       API_TOKEN_ERROR("bad_request", "The body must be application/x-www-form-urlencoded."));
}

ngx::Answer bad_json()
{
    return json_answer(
        NGX_HTTP_BAD_REQUEST,
        API_TOKEN_ERROR("bad_request", "The body must be a JSON object in UTF-8, no member twice."));
}

ngx::Answer bad_query(ngx::Request& request, std::string_view sentence)
{
    auto body = ngx::concat(
        request.pool(), {R"({"code":"bad_request","message":")", sentence, R"(","status":"error"})", "\n"});
    return body.data() ? json_answer(NGX_HTTP_BAD_REQUEST, body) : unexpected();
}

ngx::Answer body_not_wanted()
{
    return json_answer(NGX_HTTP_BAD_REQUEST,
                       API_TOKEN_ERROR("bad_request", "The body must be empty, or an empty JSON object."));
}

ngx::Answer invalid_action()
{
    return json_answer(NGX_HTTP_CONFLICT,
                       API_TOKEN_ERROR("invalid_action", "The token's status does not allow this."));
}

ngx::Answer idempotency_key_used()
{
    return json_answer(ngx::unprocessable_entity,
                       API_TOKEN_ERROR("bad_request", "The idempotency key was used with other details."));
}

ngx::Answer idempotency_key_deleted()
{
    return json_answer(NGX_HTTP_CONFLICT,
                       API_TOKEN_ERROR("invalid_action", "The token of this idempotency key was deleted."));
}

ngx::Answer validation(ngx::Request& request, const json_t* errors)
{
    auto text = api_token::dump(errors);
    if (!text)
        return unexpected();
    auto body =
        ngx::concat(request.pool(), {R"({"code":"validation_errors","errors":)", text.get(),
                                     R"(,"message":"The request is not valid.","status":"error"})", "\n"});
    return body.data() ? json_answer(ngx::unprocessable_entity, body) : unexpected();
}

ngx::Answer unexpected()
{
    return json_answer(NGX_HTTP_INTERNAL_SERVER_ERROR, unexpected_body);
}

ngx::Answer not_replicated()
{
    return json_answer(NGX_HTTP_SERVICE_UNAVAILABLE, not_replicated_body).with("Retry-After", "1");
}

ngx::Answer of(ngx::Request& request, api_token::Refusal refusal)
{
    auto refused = answer_of(refusal);
    return json_answer(refused.status, refused.body)
        .with("WWW-Authenticate", challenge(request.r(), refused.challenge));
}

ngx::Answer of(redis::Failure failure)
{
    if (failure == redis::Failure::rejected)
        return unexpected();
    return json_answer(NGX_HTTP_SERVICE_UNAVAILABLE, unavailable_body).with("Retry-After", "1");
}

} // namespace errors

std::string_view body_of_status(ngx_uint_t status)
{
    switch (status) {
    case NGX_HTTP_UNAUTHORIZED:
        return not_authenticated_body;
    case NGX_HTTP_FORBIDDEN:
        return not_permitted_body;
    case NGX_HTTP_NOT_FOUND:
        return not_found_body;
    case NGX_HTTP_NOT_ALLOWED:
        return API_TOKEN_ERROR("bad_request", "The method is not allowed here.");
    case NGX_HTTP_REQUEST_ENTITY_TOO_LARGE:
        return API_TOKEN_ERROR("bad_request", "The body is too large.");
    case NGX_HTTP_BAD_REQUEST:
        return API_TOKEN_ERROR("bad_request", "The request cannot be read.");
    case NGX_HTTP_SERVICE_UNAVAILABLE:
        return API_TOKEN_ERROR("unexpected", "The service cannot answer at the moment; try again.");
    }
    return status < NGX_HTTP_INTERNAL_SERVER_ERROR
               ? std::string_view(API_TOKEN_ERROR("bad_request", "The request was refused."))
               : unexpected_body;
}

} // namespace http
