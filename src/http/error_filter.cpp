#include "error_filter.hpp"

#include "context.hpp"
#include "errors.hpp"

namespace http {

namespace {

ngx_http_output_header_filter_pt next_header_filter;
ngx_http_output_body_filter_pt next_body_filter;

/// Whether the check refused, for good: where another module lets the request in by `satisfy any`, nginx
/// takes the last challenge back.
bool is_refused(const ngx_http_request_t* r, const Context* context)
{
    const auto* last = r->headers_out.www_authenticate;
    return context && !context->presented.refusal_body.empty() && !(last && last->hash == 0);
}

/// The body that takes the place of nginx's own error page; empty where none does. nginx sets err_status for
/// the errors that it answers, and for nothing else; an error_page has left the location.
std::string_view replacement(const ngx_http_request_t* r, const Context* context)
{
    if (r->err_status < NGX_HTTP_BAD_REQUEST)
        return {};
    bool is_ours = is_refused(r, context);
    if (is_ours && context->presented.verdict == static_cast<ngx_int_t>(r->err_status))
        return context->presented.refusal_body;
    // another module's 401 outweighs our 403
    is_ours = is_ours && r->err_status == NGX_HTTP_UNAUTHORIZED;
    return is_ours || Settings::of(r).served != Served::nothing ? body_of_status(r->err_status)
                                                                : std::string_view();
}

/// nginx before 1.23 takes only one challenge back.
void drop_stale_challenge(const ngx_http_request_t* r, Context* context)
{
    if (context && context->presented.challenge && !is_refused(r, context))
        std::exchange(context->presented.challenge, nullptr)->hash = 0;
}

/// Whether a token would have let in, by `satisfy any`, who has none: the check leaves that to
/// api_token_caller, and another module has refused.
bool is_token_missing(ngx_http_request_t* r, const Context* context)
{
    auto* core =
        static_cast<ngx_http_core_loc_conf_t*>(ngx_http_get_module_loc_conf(r, ngx_http_core_module));
    return r->err_status == NGX_HTTP_UNAUTHORIZED && core->satisfy == NGX_HTTP_SATISFY_ANY &&
           Settings::of(r).takes_callers() && context && !context->presented.verdict &&
           context->presented.refusal == api_token::Refusal::missing;
}

ngx_int_t filter_header(ngx_http_request_t* r)
{
    auto* context = Context::find(r);
    drop_stale_challenge(r, context);
    if (is_token_missing(r, context) && !ngx::add_header(r, "WWW-Authenticate", challenge(r, "")))
        return NGX_ERROR;
    auto body = replacement(r, context);
    if (body.empty())
        return next_header_filter(r);
    context = Context::get(r);
    if (!context)
        return NGX_ERROR;

    context->is_error_replaced = true;
    context->error_body = body;
    r->headers_out.content_type = ngx_string("application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = nullptr;
    r->headers_out.content_length_n = static_cast<off_t>(body.size());
    if (r->headers_out.content_length) {
        r->headers_out.content_length->hash = 0;
        r->headers_out.content_length = nullptr;
    }
    if (!ngx::add_header(r, "Cache-Control", "no-store"))
        return NGX_ERROR;
    if (r->err_status == NGX_HTTP_SERVICE_UNAVAILABLE && !ngx::add_header(r, "Retry-After", "1"))
        return NGX_ERROR;
    return next_header_filter(r);
}

void consume(ngx_chain_t* chain)
{
    for (; chain; chain = chain->next) {
        chain->buf->pos = chain->buf->last;
        chain->buf->file_pos = chain->buf->file_last;
    }
}

/// In the place of the first that comes; the rest is nginx's page still, or what another module puts around
/// it.
ngx_int_t filter_body(ngx_http_request_t* r, ngx_chain_t* in)
{
    auto* context = Context::find(r);
    if (!in || !context || !context->is_error_replaced)
        return next_body_filter(r, in);
    consume(in);
    if (context->error_body.empty())
        return NGX_OK;
    auto* buffer = static_cast<ngx_buf_t*>(ngx_calloc_buf(r->pool));
    if (!buffer)
        return NGX_ERROR;
    auto body = ngx::str(std::exchange(context->error_body, {}));
    buffer->pos = buffer->start = body.data;
    buffer->last = buffer->end = body.data + body.len;
    buffer->memory = buffer->last_in_chain = 1;
    buffer->last_buf = r == r->main;
    ngx_chain_t out{buffer, nullptr};
    return next_body_filter(r, &out);
}

} // namespace

void install_error_filter()
{
    next_header_filter = std::exchange(ngx_http_top_header_filter, filter_header);
    next_body_filter = std::exchange(ngx_http_top_body_filter, filter_body);
}

} // namespace http
