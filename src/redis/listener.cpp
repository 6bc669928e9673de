#include "listener.hpp"

#include "metrics/metrics.hpp"

#include <array>

#include <hiredis/hiredis.h>

namespace redis {

namespace {

constexpr ngx_msec_t tick_interval = 250;
constexpr ngx_msec_t longest_silence = 1000;

} // namespace

// ---- the life of a subscription

Listener::Listener(const Options& options, std::string_view channel, Audience& audience)
    : options_(options), channel_(channel), audience_(audience)
{
    timer_.data = this;
    timer_.cancelable = 1;
    timer_.handler = [](ngx_event_t* event) { static_cast<Listener*>(event->data)->tick(); };
}

void Listener::start(ngx_log_t* log)
{
    log_ = timer_.log = log;
    if (!context_)
        connect();
}

void Listener::stop()
{
    if (timer_.timer_set)
        ngx_del_timer(&timer_);
    if (std::exchange(is_subscribed_, false))
        audience_.deaf(true);
    detach();
}

void Listener::connect()
{
    ngx_add_timer(&timer_, tick_interval);
    heard_at_ = ngx_current_msec;
    context_ = options_.unix_path.empty() ? redisConnectNonBlock(options_.address.data(), options_.port)
                                          : redisConnectUnixNonBlock(options_.unix_path.data());
    if (!context_ || context_->err)
        return lose(context_ ? context_->errstr : "no memory");
    if (!attach())
        return lose("no connection is free: raise worker_connections");
    bool said = true;
    if (!options_.password.empty() && !options_.user.empty())
        said = say({"AUTH", options_.user, options_.password});
    else if (!options_.password.empty())
        said = say({"AUTH", options_.password});
    if (!said || !say({"SUBSCRIBE", channel_}))
        lose("no memory");
}

bool Listener::attach()
{
    connection_ = ngx_get_connection(context_->fd, log_);
    if (!connection_)
        return false;
    connection_->data = this;
    connection_->read->log = connection_->write->log = log_;
    connection_->read->handler = on_readable;
    connection_->write->handler = on_writable;
    return ngx_add_event(connection_->read, NGX_READ_EVENT, NGX_LEVEL_EVENT) == NGX_OK &&
           ngx_add_event(connection_->write, NGX_WRITE_EVENT, NGX_LEVEL_EVENT) == NGX_OK;
}

// hiredis closes the descriptor.
void Listener::detach()
{
    if (auto* connection = std::exchange(connection_, nullptr)) {
        if (connection->read->active)
            ngx_del_event(connection->read, NGX_READ_EVENT, 0);
        if (connection->write->active)
            ngx_del_event(connection->write, NGX_WRITE_EVENT, 0);
        connection->shared = 1;
        ngx_close_connection(connection);
    }
    if (auto* context = std::exchange(context_, nullptr))
        redisFree(context);
}

void Listener::lose(const char* reason)
{
    auto level = std::exchange(is_loss_told_, true) ? NGX_LOG_INFO : NGX_LOG_ERR;
    ngx_log_error(
        static_cast<ngx_uint_t>(level), log_, 0,
        "redis %*s: revocations are not heard: %s; tokens are asked for at each check until they are",
        options_.url.size(), options_.url.data(), reason);
    detach();
    if (std::exchange(is_subscribed_, false))
        audience_.deaf(false);
}

void Listener::tick()
{
    ngx_add_timer(&timer_, tick_interval);
    if (!context_)
        return connect();
    if (ngx_current_msec - heard_at_ >= longest_silence)
        return lose("it is silent");
    if (is_subscribed_ && !say({"PING"}))
        lose("no memory");
}

// ---- what is said and heard

bool Listener::say(std::initializer_list<std::string_view> words)
{
    std::array<const char*, 3> texts;
    std::array<std::size_t, 3> lengths;
    std::size_t count = 0;
    for (auto word : words) {
        texts[count] = word.data();
        lengths[count++] = word.size();
    }
    if (redisAppendCommandArgv(context_, static_cast<int>(count), texts.data(), lengths.data()) != REDIS_OK)
        return false;
    return connection_->write->active ||
           ngx_add_event(connection_->write, NGX_WRITE_EVENT, NGX_LEVEL_EVENT) == NGX_OK;
}

void Listener::on_writable(ngx_event_t* event)
{
    static_cast<Listener*>(static_cast<ngx_connection_t*>(event->data)->data)->write();
}

void Listener::write()
{
    int done = 0;
    if (redisBufferWrite(context_, &done) != REDIS_OK)
        return lose(context_->errstr);
    if (done)
        ngx_del_event(connection_->write, NGX_WRITE_EVENT, 0);
}

void Listener::on_readable(ngx_event_t* event)
{
    static_cast<Listener*>(static_cast<ngx_connection_t*>(event->data)->data)->read();
}

void Listener::read()
{
    if (redisBufferRead(context_) != REDIS_OK)
        return lose(context_->errstr);
    void* reply = nullptr;
    bool is_understood = true;
    while (is_understood && redisReaderGetReply(context_->reader, &reply) == REDIS_OK && reply) {
        is_understood = hear(Reply(static_cast<redisReply*>(reply)));
        freeReplyObject(reply);
    }
    if (!is_understood)
        return lose("it does not let this user subscribe, or is no Redis");
    if (context_->reader->err)
        return lose(context_->reader->errstr);
    heard_at_ = ngx_current_msec;
    if (is_subscribed_)
        audience_.alive();
}

/// Whether the reply is one that a subscriber gets.
bool Listener::hear(Reply reply)
{
    auto kind = reply[0].text();
    if (kind == "message")
        return audience_.message(reply[2].text()), true;
    if (kind == "subscribe") {
        is_subscribed_ = true;
        if (std::exchange(is_loss_told_, false))
            metrics::count(metrics::worker().reconnects);
        audience_.listening();
        return true;
    }
    return kind == "pong" || reply.text() == "OK";
}

} // namespace redis
