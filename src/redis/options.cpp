#include "options.hpp"

namespace redis {

bool Address::is_numeric() const
{
    auto* text = reinterpret_cast<u_char*>(const_cast<char*>(host()));
    auto size = ngx_strlen(text);
    u_char ipv6[16];
    return ngx_inet_addr(text, size) != INADDR_NONE || ngx_inet6_addr(text, size, ipv6) == NGX_OK;
}

std::string_view Address::name() const
{
    return !name_.empty() || is_path() || is_numeric() ? name_ : host();
}

} // namespace redis
