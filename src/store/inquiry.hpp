#pragma once

#include "cache.hpp"
#include "ngx/request.hpp"
#include "redis/reply.hpp"
#include "token/result.hpp"

#include <coroutine>

namespace store {

class Store;
class Inquiry;

/// What Redis says of a token.
struct Answer {
    Standing standing = Standing::unknown;
    api_token::Seconds last_used_at = 0;
    /// When it was asked; of no meaning without a cache.
    Moment asked{};
};

/// The questions of a worker that are under way: one for each token, however many wait for it, while somebody
/// hears of changes. Without that nothing tells an answer of now from an older one.
class Inquiries {
public:
    Inquiries();

    /// The token changed: who asks from now on does not share an older question.
    void close(std::string_view token_id);

private:
    friend class Ask;

    ngx_queue_t* bucket_of(std::string_view token_id);

    ngx_queue_t buckets_[256];
};

/// Asks Redis of a presented token; co_await answers Result<Answer, redis::Failure>. A token that is of
/// another account, scope or environment than it says is unknown.
class Ask {
public:
    Ask(ngx::Request& request, Store& store, const api_token::Identity& identity)
        : request_(request), store_(store), identity_(identity)
    {
    }

    bool await_ready();
    void await_suspend(std::coroutine_handle<> waiting) { waiting_ = waiting; }
    api_token::Result<Answer, redis::Failure> await_resume() const { return outcome_; }

private:
    friend class Inquiry;

    ngx::Request& request_;
    Store& store_;
    const api_token::Identity& identity_;
    std::coroutine_handle<> waiting_;
    api_token::Result<Answer, redis::Failure> outcome_ = redis::Failure::unavailable;
    ngx::Link<Ask> link_{this};
};

} // namespace store
