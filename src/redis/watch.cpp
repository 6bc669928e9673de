#include "watch.hpp"

namespace redis {

namespace {

constexpr ngx_msec_t tick_interval = 250;
constexpr ngx_msec_t longest_silence = 1000;

} // namespace

void Watch::start(ngx_log_t* log)
{
    set_log(log);
    timer_.set_log(log);
    if (!timer_.is_set())
        tick();
}

void Watch::rest()
{
    timer_.stop();
    shut();
}

void Watch::tick()
{
    timer_.start(tick_interval);
    if (!is_open()) {
        is_alive();
        return open();
    }
    if (ngx_current_msec - heard_at_ >= longest_silence)
        return fail("it is silent");
    if (is_connected() && !ask())
        fail("no memory");
}

} // namespace redis
