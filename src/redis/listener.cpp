#include "listener.hpp"

#include "metrics/metrics.hpp"

namespace redis {

void Listener::stop()
{
    rest();
    if (std::exchange(is_subscribed_, false))
        audience_.deaf(true);
}

void Listener::opened()
{
    bool said = authenticate();
    if (seeks_master())
        said = said && write({"ROLE"});
    if (!said || !write({"SUBSCRIBE", channel_}))
        fail("no memory");
}

void Listener::broken(std::string_view reason)
{
    auto level = level_of_loss(reason);
    ngx_log_error(
        level, log(), 0,
        "redis %*s%*s: revocations are not heard: %*s; tokens are asked for at each check until they are",
        url().size(), url().data(), place().size(), place().data(), reason.size(), reason.data());
    if (std::exchange(is_subscribed_, false))
        audience_.deaf(false);
}

void Listener::heard(Reply reply)
{
    if (reply[0].text() == "slave")
        return fail("it is no master");
    if (reply.is_error())
        return fail(reason(reply));
    if (!understand(reply))
        return fail("it is no Redis");
    is_alive();
    if (is_subscribed_)
        audience_.alive();
}

/// Whether the reply is one that a subscriber gets.
bool Listener::understand(Reply reply)
{
    auto kind = reply[0].text();
    if (kind == "message")
        return audience_.message(reply[2].text()), true;
    if (kind == "subscribe") {
        is_subscribed_ = true;
        has_begun();
        if (std::exchange(was_subscribed_, true))
            metrics::count(metrics::worker().reconnects);
        audience_.listening();
        return true;
    }
    return kind == "pong" || kind == "master" || reply.text() == "OK";
}

} // namespace redis
