#include "store.hpp"

#include "channel.hpp"
#include "metrics/metrics.hpp"
#include "token/pfid.hpp"

#include <string>

namespace store {

namespace {

/// The workers that listen; the others rely on them.
constexpr ngx_uint_t listening_workers = 4;

redis::Server& server_of(redis::Locator& locator, redis::Connection& connection)
{
    return locator.server() ? *locator.server() : connection;
}

} // namespace

Store::Store(const redis::Options& options, redis::Locator& locator, redis::Locator& writing_locator,
             std::string_view prefix, std::string_view changes)
    : locator_(locator), writing_locator_(writing_locator), prefix_(prefix), connection_(options, locator),
      writing_connection_(options, writing_locator), server_(server_of(locator, connection_)),
      writing_server_(options.replicas ? server_of(writing_locator, writing_connection_) : server_),
      listener_(options, locator, changes, *this), uses_(*this)
{
}

void Store::start(ngx_log_t* log, Cache* cache)
{
    locator_.start(log);
    if (is_single())
        connection_.start(log);
    if (&writing_server_ != &server_)
        writing_locator_.start(log);
    if (&writing_server_ == &writing_connection_)
        writing_connection_.start(log);
    uses_.start(log);
    cache_ = cache;
    if (cache && ngx_worker < listening_workers)
        listener_.start(log);
}

void Store::stop()
{
    listener_.stop();
    uses_.stop();
    writing_connection_.stop();
    connection_.stop();
    writing_locator_.stop();
    locator_.stop();
}

std::optional<std::uint32_t> Store::channel_of(std::uint64_t peer)
{
    auto name =
        std::string(options().url).append(" ").append(prefix_).append(" ").append(std::to_string(peer));
    static_assert(most_channels == 16);
    auto channel = cache_->channel_of(name);
    if (!channel && !std::exchange(is_crowd_told_, true))
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "redis %*s: more than 16 stores share the cache, this one goes without",
                      options().url.size(), options().url.data());
    return channel;
}

/// Where there is no room, again in a second.
void Store::find_channel()
{
    auto current = peer();
    if (is_single() && !current)
        return;
    if (current == named_peer_ && named_at_ == ngx_time())
        return;
    named_peer_ = current;
    named_at_ = ngx_time();
    channel_ = channel_of(current);
}

void Store::listening()
{
    heard_channel_ = channel_of(is_single() ? listener_.peer() : 0);
    channel_.reset();
    named_at_ = 0;
    if (heard_channel_)
        cache_->start_listening(*heard_channel_);
}

void Store::deaf(bool is_orderly)
{
    if (auto channel = std::exchange(heard_channel_, std::nullopt))
        cache_->stop_listening(*channel, is_orderly);
}

void Store::message(std::string_view token_id)
{
    if (!api_token::is_pfid(token_id))
        return;
    if (heard_channel_ && cache_->is_first_listener(*heard_channel_))
        metrics::count(metrics::worker().changes_heard);
    changed(token_id);
}

void Store::changed(std::string_view token_id)
{
    inquiries_.close(token_id);
    if (auto* known = cache())
        known->forget(token_id);
}

} // namespace store
