#include "cluster.hpp"
#include "sentinel.hpp"
#include "url.hpp"

namespace redis {

Locator* make_locator(ngx_pool_t* pool, const Options& options)
{
    if (options.topology == Topology::sentinel)
        return ngx::make<Sentinels>(pool, options);
    if (options.topology == Topology::cluster)
        return ngx::make<Cluster>(pool, options);
    return ngx::make<Addresses>(pool, options.addresses);
}

} // namespace redis
