#include "url.hpp"

namespace redis {

namespace {

constexpr in_port_t redis_port = 6379;
constexpr in_port_t sentinel_port = 26379;

bool is_database(std::string_view text)
{
    return !text.empty() && text.size() < 6 && text.find_first_not_of("0123456789") == text.npos;
}

bool add_address(ngx_array_t* addresses, const ngx_addr_t& address, std::string_view name)
{
    auto* place = static_cast<Address*>(ngx_array_push(addresses));
    if (!place)
        return false;
    u_char text[NGX_SOCKADDR_STRLEN];
    auto size = ngx_sock_ntop(address.sockaddr, address.socklen, text, sizeof(text), 0);
    *place = {{reinterpret_cast<char*>(text), size}, ngx_inet_get_port(address.sockaddr), name};
    return true;
}

/// Of a host and port: `most` of the addresses that it has.
const char* add_host(ngx_conf_t* cf, std::string_view host, in_port_t default_port, ngx_uint_t most,
                     ngx_array_t* addresses)
{
    ngx_url_t url{};
    url.url = ngx::str(ngx::copy(cf->pool, host));
    url.default_port = default_port;
    if (ngx_parse_url(cf->pool, &url) != NGX_OK)
        return url.err ? url.err : "its host cannot be resolved";
    if (url.naddrs == 0 || url.uri.len || url.addrs[0].sockaddr->sa_family == AF_UNIX)
        return "it names no host";
    auto name = ngx::view(url.host);
    bool is_numeric = name.starts_with('[') || Address(name, 0).is_numeric();
    for (ngx_uint_t i = 0; i < ngx_min(url.naddrs, most); i++)
        if (!add_address(addresses, url.addrs[i], is_numeric ? std::string_view() : name))
            return "finds no memory";
    return nullptr;
}

const char* parse_path(ngx_conf_t* cf, std::string_view path, Options& options)
{
    bool is_path = path.starts_with("/") && path.size() < sizeof(sockaddr_un::sun_path);
    if (!is_path)
        return "write unix:/path, an absolute path of at most 107 characters";
    auto* address = static_cast<Address*>(ngx_palloc(cf->pool, sizeof(Address)));
    if (!address)
        return "finds no memory";
    options.addresses = {new (address) Address(path, 0), 1};
    return nullptr;
}

const char* parse_hosts(ngx_conf_t* cf, std::string_view hosts, in_port_t default_port, Options& options)
{
    auto* addresses = ngx_array_create(cf->pool, 4, sizeof(Address));
    if (!addresses)
        return "finds no memory";
    bool is_list = options.topology != Topology::single;
    while (true) {
        auto comma = is_list ? hosts.find(',') : hosts.npos;
        if (auto* error =
                add_host(cf, hosts.substr(0, comma), default_port, is_list ? Addresses::most : 1, addresses))
            return error;
        if (comma == hosts.npos)
            break;
        hosts.remove_prefix(comma + 1);
    }
    options.addresses = {static_cast<Address*>(addresses->elts), addresses->nelts};
    return addresses->nelts <= Addresses::most ? nullptr : "has more than 32 addresses";
}

const char* parse_single(ngx_conf_t* cf, std::string_view rest, Options& options)
{
    auto slash = rest.find('/');
    auto database = slash == rest.npos ? std::string_view() : rest.substr(slash + 1);
    if (!database.empty() && !is_database(database))
        return "the database, behind the slash, is a number";
    if (database.find_first_not_of('0') != database.npos)
        options.database = database;
    return parse_hosts(cf, rest.substr(0, slash), redis_port, options);
}

const char* parse_tls(ngx_conf_t* cf, std::string_view rest, Options& options)
{
    auto* error = Tls::missing();
    return error ? error : parse_single(cf, rest, options);
}

const char* parse_sentinel(ngx_conf_t* cf, std::string_view rest, Options& options)
{
    options.topology = Topology::sentinel;
    auto slash = rest.find('/');
    auto name = slash == rest.npos ? std::string_view() : rest.substr(slash + 1);
    if (name.empty() || name.find('/') != name.npos)
        return "behind the slash stands the name that the sentinels know the master by: "
               "sentinel://host:port,host:port/name";
    options.master = name;
    return parse_hosts(cf, rest.substr(0, slash), sentinel_port, options);
}

const char* parse_cluster(ngx_conf_t* cf, std::string_view rest, Options& options)
{
    options.topology = Topology::cluster;
    if (rest.find('/') != rest.npos)
        return "a cluster has one database, without a number: cluster://host:port,host:port";
    return parse_hosts(cf, rest, redis_port, options);
}

struct Scheme {
    std::string_view name;
    const char* (*parse)(ngx_conf_t* cf, std::string_view rest, Options& options);
};

constexpr Scheme schemes[] = {{"unix:", parse_path},
                              {"redis://", parse_single},
                              {"rediss://", parse_tls},
                              {"sentinel://", parse_sentinel},
                              {"cluster://", parse_cluster}};

} // namespace

const char* parse_url(ngx_conf_t* cf, std::string_view url, Options& options)
{
    options.url = url;
    for (const auto& scheme : schemes) {
        if (!url.starts_with(scheme.name))
            continue;
        if (scheme.name.ends_with("//") && url.find('@') != url.npos)
            return "name the user by user= and the password by password_file=, not in the URL";
        return scheme.parse(cf, url.substr(scheme.name.size()), options);
    }
    return "write redis://host:port/database, rediss://host:port/database, unix:/path, "
           "sentinel://host:port,host:port/name or cluster://host:port,host:port";
}

} // namespace redis
