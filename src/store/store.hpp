#pragma once

#include "cache.hpp"
#include "inquiry.hpp"
#include "redis/connection.hpp"
#include "redis/listener.hpp"
#include "uses.hpp"

#include <optional>

namespace store {

/// Where tokens are kept: a Redis, and the prefix of the keys there. A worker's operations share one
/// connection; a second one hears of changes where there is a cache, and a third takes what is written where
/// replicas are waited for.
class Store final : private redis::Audience {
public:
    /// `changes` is the channel on which the scripts publish the id of each token that changes.
    /// `writing_locator` may be the other one, unless that is a server itself.
    Store(const redis::Options& options, redis::Locator& locator, redis::Locator& writing_locator,
          std::string_view prefix, std::string_view changes);

    /// In a worker. `cache` may be null.
    void start(ngx_log_t* log, Cache* cache);
    void stop();

    /// While nginx reads its configuration: what looks up the names of hosts. The first is taken.
    void set_resolver(const redis::Resolver& resolver)
    {
        if (locator_.resolver().resolver)
            return;
        locator_.set_resolver(resolver);
        writing_locator_.set_resolver(resolver);
    }

    /// A token's status is another one from now on.
    void changed(std::string_view token_id);

    redis::Server& server() { return server_; }
    /// For what Replicated is awaited after.
    redis::Server& writing_server() { return writing_server_; }
    const redis::Options& options() const { return connection_.options(); }
    std::string_view prefix() const { return prefix_; }
    /// Null where there is none.
    Cache* cache() const { return cache_; }
    /// Whether changes are heard of.
    bool is_listening() { return cache_ && cache_->is_heard(channel()); }
    /// Of the Redis that is asked, in the cache.
    std::uint32_t channel()
    {
        if (!channel_ || peer() != named_peer_)
            find_channel();
        return channel_.value_or(no_channel);
    }
    Inquiries& inquiries() { return inquiries_; }
    Uses& uses() { return uses_; }

private:
    void listening() override;
    void alive() override { heard_channel_ ? cache_->heard(*heard_channel_) : listening(); }
    void message(std::string_view token_id) override;
    void deaf(bool is_orderly) override;

    bool is_single() const { return &server_ == &connection_; }
    /// A cluster is one, whichever node is asked or listened to.
    std::uint64_t peer() const { return is_single() ? connection_.peer() : 0; }
    std::optional<std::uint32_t> channel_of(std::uint64_t peer);
    void find_channel();

    redis::Locator& locator_;
    redis::Locator& writing_locator_;
    std::string_view prefix_;
    redis::Connection connection_;
    redis::Connection writing_connection_;
    redis::Server& server_;
    redis::Server& writing_server_;
    redis::Listener listener_;
    Inquiries inquiries_;
    Uses uses_;
    Cache* cache_ = nullptr;
    /// Of the Redis that is asked, and of the one that is listened to: while one takes the other's place
    /// they may differ.
    std::optional<std::uint32_t> channel_;
    std::optional<std::uint32_t> heard_channel_;
    std::uint64_t named_peer_ = 0;
    time_t named_at_ = 0;
    bool is_crowd_told_ = false;
};

} // namespace store
