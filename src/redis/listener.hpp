#pragma once

#include "watch.hpp"

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

/// A worker's subscription to one channel of a Redis, made again by itself.
class Listener final : public Watch {
public:
    Listener(const Options& options, Locator& locator, std::string_view channel, Audience& audience)
        : Watch(options, locator), channel_(channel), audience_(audience)
    {
    }
    ~Listener() { stop(); }

    void stop();

    using Wire::peer;

private:
    void opened() override;
    void heard(Reply reply) override;
    void broken(std::string_view reason) override;
    bool ask() override { return !is_subscribed_ || write({"PING"}); }
    bool understand(Reply reply);

    std::string_view channel_;
    Audience& audience_;
    bool is_subscribed_ = false;
    bool was_subscribed_ = false;
};

} // namespace redis
