#pragma once

#include "nginx.hpp"

#include <coroutine>
#include <optional>

namespace ngx {

/// A request that a coroutine serves. It lies in the request's pool and dies with the request.
class Request {
public:
    static Request* make(ngx_http_request_t* r);
    ~Request();

    ngx_http_request_t* r() const { return r_; }
    ngx_pool_t* pool() const { return r_->pool; }
    std::int64_t now() const { return ngx_time(); }
    std::uint64_t now_ms() const;

    /// The body, once it has arrived, or the status that nginx refuses it with. Where it does not arrive,
    /// nginx answers by itself and the coroutine ends here.
    struct Body {
        ngx_int_t status = NGX_OK;
        std::string_view text;
    };
    auto body() { return BodyAwaiter{*this}; }

    /// Goes on with a coroutine of this request from an event that is not the request's own. Neither the
    /// request nor this object need be there afterwards.
    void resume(std::coroutine_handle<> waiting);

    void* allocate_frame(std::size_t size) noexcept;
    void own(std::coroutine_handle<> frame) { frame_ = frame; }

private:
    class BodyAwaiter {
    public:
        explicit BodyAwaiter(Request& request) : request_(request) {}
        bool await_ready();
        void await_suspend(std::coroutine_handle<> waiting);
        Body await_resume();

    private:
        Request& request_;
        ngx_int_t status_ = NGX_OK;
    };

    explicit Request(ngx_http_request_t* r) : r_(r) {}

    static Request* find(ngx_http_request_t* r);
    static void body_arrived(ngx_http_request_t* r);
    ngx_int_t read_body();
    Body collect_body();

    ngx_http_request_t* r_;
    std::coroutine_handle<> frame_;
    std::coroutine_handle<> body_waiter_;
    bool body_here_ = false;
};

} // namespace ngx
