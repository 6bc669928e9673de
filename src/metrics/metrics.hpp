#pragma once

#include "ngx/nginx.hpp"
#include "token/jwt.hpp"
#include "token/operation.hpp"

#include <array>
#include <atomic>

// What is counted of all that this module does. Workers count in memory that they share, each in a place of
// its own; where there is no api_token_metrics, nobody reads it.
namespace metrics {

using Counter = std::atomic<std::uint64_t>;

/// How a command to Redis ended.
enum class Command : std::uint8_t { ok, error, timeout };

/// Upper bounds of how long commands take, in µs.
inline constexpr std::uint32_t duration_bounds[] = {100,   250,   500,    1000,   2500,   5000,   10000,
                                                    25000, 50000, 100000, 250000, 500000, 1000000};

/// Two workers share one during a reload, and where there are more than `most_workers`.
struct alignas(64) Worker {
    Counter checks_allowed;
    std::array<Counter, api_token::refusals> checks_refused;
    Counter cache_hits;
    Counter cache_misses;
    std::array<Counter, 3> commands;
    /// The last holds those beyond all bounds.
    std::array<Counter, std::size(duration_bounds) + 1> durations;
    Counter duration_sum;
    Counter reconnects;
    Counter changes_heard;
    /// Whose it is at the moment; 0 where nobody's. And how many of its connections to Redis are not there.
    std::atomic<ngx_pid_t> process;
    std::atomic<std::uint32_t> missing_connections;
};

inline constexpr std::size_t most_workers = 128;
inline constexpr std::size_t statuses = 600;

struct Shared {
    std::array<Worker, most_workers> workers;
    std::array<std::array<Counter, statuses>, api_token::operations> requests;

    /// Whether no worker lacks a connection to Redis.
    bool is_connected() const;
};

/// Where the worker counts.
Worker& worker();

/// The memory of `zone` for api_token_metrics, kept over a reload; null where there is none.
ngx_shm_zone_t* add_zone(ngx_conf_t* cf);
Shared& shared(const ngx_shm_zone_t* zone);

/// In a worker; `zone` may be null.
void start(const ngx_shm_zone_t* zone);
void stop();

inline void count(Counter& counter, std::uint64_t by = 1)
{
    counter.fetch_add(by, std::memory_order_relaxed);
}

/// An answer to a request for an operation.
void count_request(api_token::Operation operation, ngx_uint_t status);
/// `duration` in µs.
void count_command(Command result, std::uint64_t duration);
/// A connection to Redis is missing from now on (1), or no longer (-1).
void miss_connection(int change);

} // namespace metrics
