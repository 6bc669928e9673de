#pragma once

#include "ngx/nginx.hpp"
#include "token/digest.hpp"

#include <algorithm>

namespace store {

inline constexpr std::size_t most_channels = 16;
inline constexpr std::size_t most_listeners = 8;
/// How long a silent listener counts, in ms.
inline constexpr ngx_msec_t longest_silence = 1000;
/// How long a channel is its store's though nobody hears it, in seconds.
inline constexpr time_t channel_kept_for = 60;

/// Of a worker that hears of changes, while `process` is not 0.
struct Listener {
    ngx_pid_t process;
    ngx_msec_t heard_at;

    bool is_live() const
    {
        return process && static_cast<ngx_msec_int_t>(ngx_current_msec - heard_at) <
                              static_cast<ngx_msec_int_t>(longest_silence);
    }
    bool is_gone() const { return process && (!is_live() || (kill(process, 0) == -1 && ngx_errno == ESRCH)); }
};

/// Of a store in the shared memory: who hears of changes there. The number of a channel that another store
/// has taken over is no longer its own.
struct Channel {
    api_token::Sha256 name;
    std::uint32_t number;
    std::uint32_t epoch;
    time_t named_at;
    Listener listeners[most_listeners];

    bool is_heard() const
    {
        return std::any_of(std::begin(listeners), std::end(listeners),
                           [](const auto& one) { return one.is_live(); });
    }
    bool is_unnamed() const { return name == api_token::Sha256{}; }
    bool is_free() const { return !is_heard() && ngx_time() > named_at + channel_kept_for; }
    Listener* listener_of(ngx_pid_t process)
    {
        auto* found = std::find_if(std::begin(listeners), std::end(listeners),
                                   [process](const auto& one) { return one.process == process; });
        return found == std::end(listeners) ? nullptr : found;
    }
    void take_over(const api_token::Sha256& by)
    {
        number += most_channels;
        epoch++;
        name = by;
        std::fill(std::begin(listeners), std::end(listeners), Listener{});
    }
    void join()
    {
        for (auto& listener : listeners) {
            if (!listener.is_gone())
                continue;
            epoch++;
            listener.process = 0;
        }
        if (!is_heard())
            epoch++;
        auto* place = listener_of(ngx_pid);
        if (!place)
            place = listener_of(0);
        if (place)
            *place = {ngx_pid, ngx_current_msec};
    }
};

} // namespace store
