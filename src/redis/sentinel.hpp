#pragma once

#include "watch.hpp"

namespace redis {

/// A base, since it is there before the other bases that use it.
struct SentinelAddresses {
    Addresses sentinels_;
};

/// Finds the master that sentinels watch. A worker asks one of them all the time, so it knows of a failover a
/// quarter of a second after the sentinel; where that one is away or knows no master, the next is asked.
class Sentinels final : public Locator, private SentinelAddresses, private Watch {
public:
    /// The options' addresses are those of sentinels.
    explicit Sentinels(const Options& options)
        : SentinelAddresses{Addresses(options.addresses)}, Watch(options, sentinels_)
    {
    }

    void start(ngx_log_t* log) override { Watch::start(log); }
    void stop() override { rest(); }
    bool finds_masters() const override { return true; }
    void set_resolver(const Resolver& resolver) override
    {
        Locator::set_resolver(resolver);
        sentinels_.set_resolver(resolver);
    }

private:
    void find() override;

    void opened() override;
    void heard(Reply reply) override;
    void broken(std::string_view reason) override;
    bool ask() override;
    void learn_master(const Address& address);
    void learn_sentinels(Reply reply);

    Address master_;
    /// How many sentinels in a row did not help.
    std::size_t failures_ = 0;
    /// Until others are asked for, in questions.
    unsigned countdown_ = 0;
    bool is_told_ = false;
};

} // namespace redis
