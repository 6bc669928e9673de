#pragma once

#include "ngx/request.hpp"
#include "redis/connection.hpp"

#include <array>
#include <coroutine>

namespace store {

class Store;
class Replicated;

/// Asks Redis, on the connection of a worker's writes, whether replicas have them (WAIT). Redis holds the
/// connection meanwhile, so one question serves all who came while the one before it was under way.
class Replication final : private redis::Command {
public:
    /// `replicas` must have a write; 0: it is not asked.
    Replication(redis::Server& server, unsigned replicas, ngx_msec_t timeout);

    bool is_asked() const { return replicas_ > 0; }

private:
    friend class Replicated;

    /// Whether `waiting` will be told.
    bool join(Replicated& waiting);
    bool ask();
    void tell(bool is_replicated);

    std::span<const std::string_view> words() const override { return words_; }
    void answered(redis::Reply reply) override;
    void failed(redis::Failure) override { tell(false); }

    redis::Server& server_;
    unsigned replicas_;
    std::array<char, 10> count_;
    std::array<char, 20> time_;
    std::array<std::string_view, 3> words_;
    /// Those whose writes the question under way is about, and those who came since.
    ngx_queue_t asked_;
    ngx_queue_t joined_;
    /// Though those who asked may have gone.
    bool is_under_way_ = false;
};

/// What was written before is with as many replicas as wait= asks for: co_await answers whether that is known
/// within the timeout.
class Replicated {
public:
    Replicated(ngx::Request& request, Store& store);

    bool await_ready();
    void await_suspend(std::coroutine_handle<> waiting) { waiting_ = waiting; }
    bool await_resume() const { return is_replicated_; }

private:
    friend class Replication;

    ngx::Request& request_;
    Replication& replication_;
    std::coroutine_handle<> waiting_;
    bool is_replicated_ = false;
    ngx::Link<Replicated> link_{this};
};

} // namespace store
