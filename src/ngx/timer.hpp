#pragma once

#include "nginx.hpp"

namespace ngx {

/// A timer that calls its owner. A cancelable one does not keep a worker that is to end.
template <class Owner, void (Owner::*handler)()>
class Timer {
public:
    Timer(Owner* owner, bool is_cancelable) : data_{.owner = owner}
    {
        event_.data = &data_;
        event_.handler = [](ngx_event_t* event) { (static_cast<Data*>(event->data)->owner->*handler)(); };
        set_cancelable(is_cancelable);
    }
    ~Timer() { stop(); }
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    void set_log(ngx_log_t* log) { event_.log = log; }
    void set_cancelable(bool is_cancelable) { event_.cancelable = is_cancelable; }
    bool is_set() const { return event_.timer_set; }
    /// One that is set begins anew.
    void start(ngx_msec_t time)
    {
        stop();
        ngx_add_timer(&event_, time);
    }
    /// One that is set to end sooner is left.
    void start_by(ngx_msec_t time)
    {
        auto left = static_cast<ngx_msec_int_t>(event_.timer.key - ngx_current_msec);
        if (!is_set() || left > static_cast<ngx_msec_int_t>(time))
            start(time);
    }
    void stop()
    {
        if (is_set())
            ngx_del_timer(&event_);
    }

private:
    /// As ngx_connection_t begins: nginx's debug log prints its descriptor.
    struct Data {
        Owner* owner;
        ngx_event_t* read = nullptr;
        ngx_event_t* write = nullptr;
        ngx_socket_t fd = -1;
    };

    Data data_;
    ngx_event_t event_{};
};

} // namespace ngx
