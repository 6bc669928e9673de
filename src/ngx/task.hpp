#pragma once

#include "request.hpp"

#include <coroutine>

namespace ngx {

/// A request's coroutine. Its first argument is the Request; its frame lies in the request's pool. What it
/// returns, a T, is handed to `T::deliver(Request&)`, which may end the request and with it the frame. A
/// request that dies earlier destroys the coroutine where it waits.
template <class T>
class Task {
public:
    struct promise_type;
    using Handle = std::coroutine_handle<promise_type>;

    struct Delivery {
        bool await_ready() noexcept { return false; }
        void await_suspend(Handle handle) noexcept
        {
            auto& request = handle.promise().request;
            auto value = std::move(handle.promise().value);
            value.deliver(request);
        }
        void await_resume() noexcept {}
    };

    struct promise_type {
        Request& request;
        T value{};

        template <class... Rest>
        explicit promise_type(Request& request, Rest&&...) : request(request)
        {
        }

        template <class... Rest>
        static void* operator new(std::size_t size, Request& request, Rest&&...) noexcept
        {
            return request.allocate_frame(size);
        }
        static void operator delete(void*) {}

        static Task get_return_object_on_allocation_failure() { return Task{nullptr}; }
        Task get_return_object() { return Task{Handle::from_promise(*this)}; }
        std::suspend_always initial_suspend() noexcept { return {}; }
        Delivery final_suspend() noexcept { return {}; }
        void return_value(T result) { value = std::move(result); }
        void unhandled_exception() { ngx_abort(); }
    };

    explicit Task(Handle handle) : handle_(handle) {}

    /// Runs the coroutine until it first waits. False when its frame found no memory.
    bool start(Request& request)
    {
        if (!handle_)
            return false;
        request.own(handle_);
        handle_.resume();
        return true;
    }

private:
    Handle handle_;
};

/// Serves a request by a coroutine: the content handler of a location.
template <class Answer>
ngx_int_t serve(ngx_http_request_t* r, Task<Answer> (*coroutine)(Request&))
{
    auto* request = Request::make(r);
    if (!request)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    // of a body whose error_page led here, and that goes on
    if (r == r->main && !r->discard_body)
        r->read_event_handler = ngx_http_block_reading;
    r->main->count++;
    if (!coroutine(*request).start(*request)) {
        r->main->count--;
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    return NGX_DONE;
}

} // namespace ngx
