#include "watch.hpp"

namespace redis {

namespace {

constexpr ngx_msec_t tick_interval = 250;
constexpr ngx_msec_t longest_silence = 1000;

} // namespace

Watch::Watch(const Options& options, Locator& locator) : Wire(options, locator)
{
    timer_.data = this;
    timer_.cancelable = 1;
    timer_.handler = [](ngx_event_t* event) { static_cast<Watch*>(event->data)->tick(); };
}

void Watch::start(ngx_log_t* log)
{
    set_log(log);
    timer_.log = log;
    if (!timer_.timer_set)
        tick();
}

void Watch::rest()
{
    if (timer_.timer_set)
        ngx_del_timer(&timer_);
    shut();
}

void Watch::tick_in(ngx_msec_t time)
{
    // without this a timer that is nearly the same stays
    if (timer_.timer_set)
        ngx_del_timer(&timer_);
    ngx_add_timer(&timer_, time);
}

void Watch::tick()
{
    tick_in(tick_interval);
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
