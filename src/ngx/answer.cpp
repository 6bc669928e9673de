#include "answer.hpp"

namespace ngx {

Answer& Answer::with(std::string_view name, std::string_view value)
{
    headers[header_count++] = {name, value};
    return *this;
}

void Answer::deliver(Request& request) const
{
    auto* r = request.r();
    ngx_http_finalize_request(r, body.data() ? send(r) : status);
}

bool Answer::set_entity_tag(ngx_http_request_t* r) const
{
    auto* header = add_header(r, "ETag", entity_tag);
    r->headers_out.etag = header;
    return header;
}

ngx_int_t Answer::send(ngx_http_request_t* r) const
{
    if (auto discarded = ngx_http_discard_request_body(r); discarded != NGX_OK)
        return discarded;

    r->err_status = 0;
    r->headers_out.status = static_cast<ngx_uint_t>(status);
    if (status == unprocessable_entity)
        r->headers_out.status_line = str("422 Unprocessable Entity");
    r->headers_out.content_type = str(content_type);
    r->headers_out.content_type_len = content_type.size();
    r->headers_out.content_type_lowcase = nullptr;
    r->headers_out.content_length_n = static_cast<off_t>(body.size());
    // what has been done is answered, whatever If-Match and its like say
    r->disable_not_modified = entity_tag.empty();
    for (std::size_t i = 0; i < header_count; i++) {
        auto* header = add_header(r, headers[i].name, headers[i].value);
        if (!header)
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        // auth_request takes it from there
        if (r != r->main && headers[i].name == "WWW-Authenticate")
            r->headers_out.www_authenticate = header;
    }
    if (!entity_tag.empty() && !set_entity_tag(r))
        return NGX_HTTP_INTERNAL_SERVER_ERROR;

    auto sent = ngx_http_send_header(r);
    if (sent == NGX_ERROR || sent > NGX_OK || r->header_only)
        return sent;

    auto* buffer = static_cast<ngx_buf_t*>(ngx_calloc_buf(r->pool));
    if (!buffer)
        return NGX_ERROR;
    buffer->pos = buffer->start = str(body).data;
    buffer->last = buffer->end = buffer->pos + body.size();
    buffer->memory = !body.empty();
    buffer->last_buf = r == r->main;
    buffer->last_in_chain = 1;
    ngx_chain_t out{buffer, nullptr};
    return ngx_http_output_filter(r, &out);
}

} // namespace ngx
