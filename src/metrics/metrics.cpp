#include "metrics.hpp"

#include <algorithm>

namespace metrics {

namespace {

constexpr std::size_t zone_size = 256 * 1024;

/// Of a worker without api_token_metrics.
Worker unread;

Worker* own = &unread;
Shared* all = nullptr;
std::uint32_t missing_connections = 0;

char zone_tag;

ngx_int_t lay_out(ngx_shm_zone_t* zone, void* previous)
{
    auto* pool = reinterpret_cast<ngx_slab_pool_t*>(zone->shm.addr);
    if (previous || zone->shm.exists)
        return NGX_OK;
    pool->data = ngx_slab_calloc(pool, sizeof(Shared));
    return pool->data ? NGX_OK : NGX_ERROR;
}

bool is_alive(ngx_pid_t process)
{
    return process && (kill(process, 0) == 0 || ngx_errno == NGX_EPERM);
}

/// During a reload a place is the newer worker's.
bool is_own()
{
    return own->process == ngx_pid;
}

} // namespace

bool Shared::is_connected() const
{
    return std::all_of(workers.begin(), workers.end(), [](const auto& one) {
        return !is_alive(one.process) || one.missing_connections == 0;
    });
}

Worker& worker()
{
    return *own;
}

ngx_shm_zone_t* add_zone(ngx_conf_t* cf)
{
    ngx_str_t name = ngx_string("api_token_metrics");
    auto* zone = ngx_shared_memory_add(cf, &name, zone_size, &zone_tag);
    if (zone) {
        zone->init = lay_out;
        zone->data = zone;
    }
    return zone;
}

Shared& shared(const ngx_shm_zone_t* zone)
{
    return *static_cast<Shared*>(reinterpret_cast<ngx_slab_pool_t*>(zone->shm.addr)->data);
}

void start(const ngx_shm_zone_t* zone)
{
    all = zone ? &shared(zone) : nullptr;
    own = all ? &all->workers[ngx_worker % most_workers] : &unread;
    missing_connections = 0;
    own->missing_connections = 0;
    own->process = ngx_pid;
}

void stop()
{
    if (is_own())
        own->process = 0;
    own = &unread;
    all = nullptr;
}

void count_request(api_token::Operation operation, ngx_uint_t status)
{
    if (all && status < statuses)
        count(all->requests[static_cast<std::size_t>(operation)][status]);
}

void count_command(Command result, std::uint64_t duration)
{
    count(own->commands[static_cast<std::size_t>(result)]);
    count(own->duration_sum, duration);
    const auto* bound = std::lower_bound(std::begin(duration_bounds), std::end(duration_bounds), duration);
    count(own->durations[static_cast<std::size_t>(bound - std::begin(duration_bounds))]);
}

void miss_connection(int change)
{
    missing_connections += static_cast<std::uint32_t>(change);
    if (is_own())
        own->missing_connections = missing_connections;
}

} // namespace metrics
