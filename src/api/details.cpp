#include "details.hpp"

#include "http/errors.hpp"

namespace api {

ngx::Answer details_answer(ngx::Request& request, const api_token::Token& token)
{
    constexpr std::size_t frame = 64;
    api_token::Writer body(ngx::allocate(request.pool(), api_token::details_capacity + frame));
    body.raw(R"({"details":)");
    write_details(body, token, request.now());
    body.raw(R"(,"status":"success"})").raw("\n");
    return body.overflowed() ? http::errors::unexpected() : http::json_answer(NGX_HTTP_OK, body.view());
}

} // namespace api
