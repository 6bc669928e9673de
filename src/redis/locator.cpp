#include "locator.hpp"

namespace redis {

void Seeker::seek()
{
    is_waiting_ = true;
    if (ngx_queue_empty(&link_.queue))
        link_.join(&locator_.seekers_);
    locator_.find();
}

template <class Tell>
void Locator::tell(bool is_waiting, Tell tell)
{
    for (auto* link = ngx_queue_head(&seekers_); link != ngx_queue_sentinel(&seekers_);
         link = ngx_queue_next(link)) {
        auto& seeker = *ngx::Link<Seeker>::owner_of(link);
        if (seeker.is_waiting_ != is_waiting)
            continue;
        seeker.is_waiting_ = false;
        tell(seeker);
    }
}

void Locator::tell_found(const Address& address)
{
    tell(true, [&](Seeker& seeker) { seeker.found(address); });
}

void Locator::tell_not_found(std::string_view reason)
{
    tell(true, [&](Seeker& seeker) { seeker.not_found(reason); });
}

void Locator::tell_moved(const Address& address)
{
    tell(false, [&](Seeker& seeker) { seeker.moved(address); });
}

void Locator::tell_lost(std::string_view reason)
{
    tell(false, [&](Seeker& seeker) { seeker.lost(reason); });
}

Addresses::Addresses(std::span<const Address> addresses)
{
    for (const auto& address : addresses)
        add(address);
}

void Addresses::add(const Address& address)
{
    auto* end = addresses_.data() + count_;
    if (count_ < addresses_.size() && std::find(addresses_.data(), end, address) == end)
        addresses_[count_++] = address;
}

void Addresses::find()
{
    tell_found(addresses_[next_++ % count_]);
}

} // namespace redis
