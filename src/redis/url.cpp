#include "url.hpp"

namespace redis {

namespace {

bool is_database(std::string_view text)
{
    return !text.empty() && text.size() < 6 && text.find_first_not_of("0123456789") == text.npos;
}

const char* parse_tcp(ngx_conf_t* cf, std::string_view authority, Options& options)
{
    ngx_url_t url{};
    url.url = ngx::str(ngx::copy(cf->pool, authority));
    url.default_port = 6379;
    if (ngx_parse_url(cf->pool, &url) != NGX_OK)
        return url.err ? url.err : "its host cannot be resolved";
    if (url.naddrs == 0 || url.uri.len || url.addrs[0].sockaddr->sa_family == AF_UNIX)
        return "it names no host";
    auto text = ngx::allocate(cf->pool, NGX_SOCKADDR_STRLEN + 1);
    if (text.empty())
        return "finds no memory";
    auto* memory = reinterpret_cast<u_char*>(text.data());
    auto length = ngx_sock_ntop(url.addrs[0].sockaddr, url.addrs[0].socklen, memory, NGX_SOCKADDR_STRLEN, 0);
    text[length] = '\0';
    options.address = {text.data(), length};
    // an IPv6 address is written in brackets where there is a port, and without where there is none
    options.port = ngx_inet_get_port(url.addrs[0].sockaddr);
    return nullptr;
}

} // namespace

const char* parse_url(ngx_conf_t* cf, std::string_view url, Options& options)
{
    constexpr std::string_view unix = "unix:";
    constexpr std::string_view tcp = "redis://";
    options.url = url;
    if (url.starts_with(unix)) {
        options.unix_path = ngx::concat(cf->pool, {url.substr(unix.size()), {"", 1}});
        options.unix_path.remove_suffix(1);
        bool is_path =
            options.unix_path.starts_with("/") && options.unix_path.size() < sizeof(sockaddr_un::sun_path);
        return is_path ? nullptr : "write unix:/path, an absolute path of at most 107 characters";
    }
    if (!url.starts_with(tcp))
        return "write redis://host:port/database or unix:/path";
    auto rest = url.substr(tcp.size());
    if (rest.find('@') != rest.npos)
        return "name the user by user= and the password by password_file=, not in the URL";
    auto slash = rest.find('/');
    auto database = slash == rest.npos ? std::string_view() : rest.substr(slash + 1);
    if (!database.empty() && !is_database(database))
        return "the database, behind the slash, is a number";
    if (database.find_first_not_of('0') != database.npos)
        options.database = database;
    return parse_tcp(cf, rest.substr(0, slash), options);
}

} // namespace redis
