#pragma once

#include "ngx/request.hpp"
#include "options.hpp"
#include "script.hpp"

#include <array>
#include <coroutine>

namespace redis {

class Replicated;

/// Asks Redis whether replicas have what was written on a connection (WAIT). Redis holds the connection
/// meanwhile, so one question serves all who came while the one before it was under way.
class Replication final : private Command {
public:
    Replication(Server& connection, const Options& options);

    bool is_asked() const { return replicas_ > 0; }

private:
    friend class Replicated;

    /// Whether `waiting` will be told.
    bool join(Replicated& waiting);
    bool ask();
    void tell(bool is_replicated);

    std::span<const std::string_view> words() const override { return words_; }
    void answered(Reply reply) override;
    void failed(Failure) override { tell(false); }

    Server& connection_;
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

/// What a script wrote is with as many replicas as the options ask for: co_await answers whether that is
/// known within the timeout. The script was awaited, and nothing since.
class Replicated {
public:
    Replicated(ngx::Request& request, const Eval& script)
        : request_(request), replication_(*script.replication())
    {
    }

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

} // namespace redis
