#pragma once

#include "connection.hpp"

struct redisContext;

namespace redis {

/// Who is told what a Listener hears.
class Audience {
public:
    /// The channel is subscribed to: from now on nothing is missed.
    virtual void listening() = 0;
    /// Redis is there: it has answered a PING, or sent a message that is dealt with.
    virtual void alive() = 0;
    virtual void message(std::string_view text) = 0;
    /// Something may be missed from now on; not where that was the worker's own end.
    virtual void deaf(bool is_orderly) = 0;

protected:
    ~Audience() = default;
};

/// A worker's subscription to one channel of a Redis, in nginx's event loop, made again by itself. It asks
/// for a sign of life every quarter of a second, and takes a silence of one second for a loss, since a broken
/// network sends none.
class Listener {
public:
    Listener(const Options& options, std::string_view channel, Audience& audience);
    ~Listener() { stop(); }
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    void start(ngx_log_t* log);
    void stop();

private:
    void connect();
    bool attach();
    void detach();
    void lose(const char* reason);
    void tick();
    bool say(std::initializer_list<std::string_view> words);
    void write();
    void read();
    bool hear(Reply reply);
    static void on_readable(ngx_event_t* event);
    static void on_writable(ngx_event_t* event);

    Options options_;
    std::string_view channel_;
    Audience& audience_;
    ngx_log_t* log_ = nullptr;
    redisContext* context_ = nullptr;
    ngx_connection_t* connection_ = nullptr;
    ngx_event_t timer_{};
    ngx_msec_t heard_at_ = 0;
    bool is_subscribed_ = false;
    bool is_loss_told_ = false;
};

} // namespace redis
