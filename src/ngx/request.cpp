#include "request.hpp"

#include <algorithm>

namespace ngx {

namespace {

void destroy_request(void* data)
{
    static_cast<Request*>(data)->~Request();
}

bool read_buffer(ngx_buf_t* buffer, u_char*& at)
{
    if (ngx_buf_size(buffer) == 0)
        return true;
    if (!buffer->in_file) {
        at = ngx_cpymem(at, buffer->pos, buffer->last - buffer->pos);
        return true;
    }
    auto size = static_cast<std::size_t>(buffer->file_last - buffer->file_pos);
    if (ngx_read_file(buffer->file, at, size, buffer->file_pos) != static_cast<ssize_t>(size))
        return false;
    at += size;
    return true;
}

} // namespace

const ngx_table_elt_t* find_header(const ngx_http_request_t* r, std::string_view name)
{
    for (auto* part = &r->headers_in.headers.part; part; part = part->next) {
        auto* headers = static_cast<const ngx_table_elt_t*>(part->elts);
        for (ngx_uint_t i = 0; i < part->nelts; i++)
            if (headers[i].hash && headers[i].key.len == name.size() &&
                ngx_strncasecmp(headers[i].key.data, str(name).data, name.size()) == 0)
                return &headers[i];
    }
    return nullptr;
}

bool has_media_type(const ngx_http_request_t* r, std::string_view type)
{
    if (!r->headers_in.content_type)
        return false;
    auto said = view(r->headers_in.content_type->value);
    said = said.substr(0, said.find(';'));
    said = said.substr(0, said.find_last_not_of(" \t") + 1);
    return said.size() == type.size() && ngx_strncasecmp(str(said).data, str(type).data, type.size()) == 0;
}

Request* Request::make(ngx_http_request_t* r)
{
    auto* cleanup = ngx_http_cleanup_add(r, sizeof(Request));
    if (!cleanup)
        return nullptr;
    auto* request = new (cleanup->data) Request(r);
    cleanup->handler = destroy_request;
    return request;
}

Request::~Request()
{
    if (frame_)
        frame_.destroy();
}

std::uint64_t Request::now_ms() const
{
    auto* time = ngx_timeofday();
    return static_cast<std::uint64_t>(time->sec) * 1000 + time->msec;
}

void* Request::allocate_frame(std::size_t size) noexcept
{
    constexpr std::size_t alignment = 16;
    auto* memory = static_cast<u_char*>(ngx_palloc(r_->pool, size + alignment));
    return memory ? ngx_align_ptr(memory, alignment) : nullptr;
}

void Request::resume(std::coroutine_handle<> waiting)
{
    auto* connection = r_->connection;
    ngx_http_set_log_request(connection->log, r_);
    waiting.resume();
    ngx_http_run_posted_requests(connection);
}

/// nginx's callback has no place for the Request of a body that is being read but the request's cleanups.
Request* Request::find(ngx_http_request_t* r)
{
    for (auto* cleanup = r->main->cleanup; cleanup; cleanup = cleanup->next)
        if (cleanup->handler == destroy_request && static_cast<Request*>(cleanup->data)->r_ == r)
            return static_cast<Request*>(cleanup->data);
    return nullptr;
}

void Request::body_arrived(ngx_http_request_t* r)
{
    auto* request = find(r);
    request->body_here_ = true;
    if (request->body_waiter_)
        std::exchange(request->body_waiter_, nullptr).resume();
}

// nginx counts the request once more for the body handler; here it is one handler from the first line to the
// last.
ngx_int_t Request::read_body()
{
    auto status = ngx_http_read_client_request_body(r_, body_arrived);
    if (status >= NGX_HTTP_SPECIAL_RESPONSE)
        return status;
    r_->main->count--;
    return status == NGX_ERROR ? NGX_HTTP_INTERNAL_SERVER_ERROR : NGX_OK;
}

Request::Body Request::collect_body()
{
    auto* body = r_->request_body;
    if (!body || !body->bufs)
        return {};
    auto* first = body->bufs->buf;
    if (!body->bufs->next && !first->in_file)
        return {NGX_OK,
                {reinterpret_cast<char*>(first->pos), static_cast<std::size_t>(first->last - first->pos)}};

    std::size_t size = 0;
    for (auto* link = body->bufs; link; link = link->next)
        size += ngx_buf_size(link->buf);
    auto* text = static_cast<u_char*>(ngx_pnalloc(r_->pool, size));
    if (!text)
        return {NGX_HTTP_INTERNAL_SERVER_ERROR, {}};
    auto* at = text;
    for (auto* link = body->bufs; link; link = link->next)
        if (!read_buffer(link->buf, at))
            return {NGX_HTTP_INTERNAL_SERVER_ERROR, {}};
    return {NGX_OK, {reinterpret_cast<char*>(text), size}};
}

bool Request::BodyAwaiter::await_ready()
{
    status_ = request_.read_body();
    return status_ != NGX_OK || request_.body_here_;
}

void Request::BodyAwaiter::await_suspend(std::coroutine_handle<> waiting)
{
    request_.body_waiter_ = waiting;
}

Request::Body Request::BodyAwaiter::await_resume()
{
    if (status_ != NGX_OK)
        return {status_, {}};
    return request_.collect_body();
}

} // namespace ngx
