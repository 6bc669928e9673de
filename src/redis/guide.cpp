#include "guide.hpp"

namespace redis {

Guide::Guide(const Options& options) : GuideAddresses{Addresses(options.addresses)}, Watch(options, guides_)
{
}

void Guide::set_resolver(const Resolver& resolver)
{
    Locator::set_resolver(resolver);
    guides_.set_resolver(resolver);
}

void Guide::find()
{
    if (!is_open())
        return hurry();
    if (is_connected() && !ask())
        fail("no memory");
}

void Guide::opened()
{
    if (!begin() || !ask())
        fail("no memory");
}

void Guide::learn(const Address& address)
{
    failures_ = 0;
    is_told_ = false;
    bool is_news = !(address == std::exchange(known_, address));
    tell_found(address);
    if (is_news)
        tell_moved(address);
}

void Guide::broken(std::string_view reason)
{
    auto level = std::exchange(is_told_, true) ? NGX_LOG_INFO : NGX_LOG_ERR;
    ngx_log_error(static_cast<ngx_uint_t>(level), log(), 0,
                  "redis %*s%*s does not tell where Redis is: %*s; the next is asked", url().size(),
                  url().data(), place().size(), place().data(), reason.size(), reason.data());
    if (++failures_ < guides_.count())
        return hurry();
    failures_ = 0;
    lost_all("nobody tells where Redis is");
}

} // namespace redis
