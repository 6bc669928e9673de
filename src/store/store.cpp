#include "store.hpp"

#include "metrics/metrics.hpp"
#include "token/pfid.hpp"

#include <string>

namespace store {

namespace {

/// The workers that listen; the others rely on them.
constexpr ngx_uint_t listening_workers = 4;

} // namespace

Store::Store(const redis::Options& options, redis::Locator& locator, std::string_view prefix,
             std::string_view changes, unsigned replicas)
    : locator_(locator), prefix_(prefix), replicas_(replicas), connection_(options, locator),
      writing_connection_(options, locator), server_(locator.server() ? *locator.server() : connection_),
      replication_(writing_connection_, replicas, options.timeout),
      listener_(options, locator, changes, *this), uses_(*this)
{
}

void Store::start(ngx_log_t* log, Cache* cache)
{
    locator_.start(log);
    if (&server_ == &connection_)
        connection_.start(log);
    if (replicas_)
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
