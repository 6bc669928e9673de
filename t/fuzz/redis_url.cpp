#include "fuzz.hpp"

#include "redis/url.hpp"

#include <arpa/inet.h>
#include <netdb.h>

using fuzz::must;

// what nginx's own sources for addresses and texts ask of the rest of nginx
volatile ngx_cycle_t* ngx_cycle;
void ngx_log_error_core(ngx_uint_t, ngx_log_t*, ngx_err_t, const char*, ...) {}

extern "C" {
int __real_getaddrinfo(const char*, const char*, const addrinfo*, addrinfo**);

/// No name is looked up.
int __wrap_getaddrinfo(const char* host, const char* service, const addrinfo* asked, addrinfo** found)
{
    addrinfo numeric = *asked;
    numeric.ai_flags |= AI_NUMERICHOST;
    return __real_getaddrinfo(host, service, &numeric, found);
}
}

namespace {

struct Pool {
    ngx_log_t log{};
    ngx_pool_t* pool = ngx_create_pool(4096, &log);
    ngx_conf_t conf{};

    Pool() { conf.pool = pool; }
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;
    ~Pool() { ngx_destroy_pool(pool); }
};

bool is_address(std::string_view text)
{
    unsigned char bytes[16];
    const std::string copy(text);
    return inet_pton(AF_INET, copy.c_str(), bytes) == 1 || inet_pton(AF_INET6, copy.c_str(), bytes) == 1;
}

void check_tcp(const redis::Options& options, ngx_conf_t* cf)
{
    const auto& address = options.addresses[0];
    must(is_address(address.host()) && address.port() > 0 && address.port() < 65536);
    must(options.database.size() < 6 &&
         options.database.find_first_not_of("0123456789") == std::string_view::npos);
    const std::string plain = address.host();
    const std::string host = plain.find(':') != plain.npos ? '[' + plain + ']' : plain;
    const std::string text =
        "redis://" + host + ':' + std::to_string(address.port()) + '/' + std::string(options.database);
    redis::Options again;
    must(redis::parse_url(cf, text, again) == nullptr);
    must(again.addresses[0] == address && again.database == options.database);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string url(reinterpret_cast<const char*>(data), size);
    if (url.find('\0') != url.npos) {
        return 0;
    }
    Pool pool;
    redis::Options options;
    if (const char* problem = redis::parse_url(&pool.conf, url, options)) {
        must(*problem != '\0');
    } else if (options.addresses[0].is_path()) {
        must("unix:" + std::string(options.addresses[0].host()) == url && url.size() < 113);
    } else if (options.topology == redis::Topology::single) {
        check_tcp(options, &pool.conf);
    } else {
        must(!options.addresses.empty() && options.addresses.size() <= 32);
    }
    return 0;
}
