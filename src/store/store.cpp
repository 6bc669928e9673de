#include "store.hpp"

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
    if (&server_ == &connection_)
        connection_.start(log);
    if (&writing_server_ != &server_)
        writing_locator_.start(log);
    if (&writing_server_ == &writing_connection_)
        writing_connection_.start(log);
    uses_.start(log);
    cache_ = cache;
    if (!cache)
        return;
    channel_ = cache->channel_of(std::string(options().url).append(" ").append(prefix_));
    if (!channel_) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "redis %*s: more than 4 stores share the cache, this one goes without",
                      options().url.size(), options().url.data());
    } else if (ngx_worker < listening_workers) {
        listener_.start(log);
    }
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

void Store::message(std::string_view token_id)
{
    if (!api_token::is_pfid(token_id))
        return;
    if (cache_->is_first_listener(*channel_))
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
