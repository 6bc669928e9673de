#pragma once

#include "ngx/timer.hpp"
#include "wire.hpp"

namespace redis {

/// A wire that opens itself again. It asks for a sign of life every quarter of a second, and takes a silence
/// of one second for a loss, since a broken network sends none.
class Watch : protected Wire {
public:
    void start(ngx_log_t* log);

protected:
    Watch(const Options& options, Locator& locator) : Wire(options, locator) {}
    ~Watch() { rest(); }

    void rest();
    /// What was heard is a sign of life.
    void is_alive() { heard_at_ = ngx_current_msec; }
    void hurry() override { timer_.start(1); }
    /// Whether there was memory for it.
    virtual bool ask() = 0;

private:
    void tick();

    ngx::Timer<Watch, &Watch::tick> timer_{this, true};
    ngx_msec_t heard_at_ = 0;
};

} // namespace redis
