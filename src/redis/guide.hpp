#pragma once

#include "watch.hpp"

namespace redis {

/// A base, since it is there before the other bases that use it.
struct GuideAddresses {
    Addresses guides_;
};

/// Learns from servers where the Redis is. One of them is asked all the time; where it does not help, the
/// next.
class Guide : public Locator, private GuideAddresses, protected Watch {
public:
    void start(ngx_log_t* log) override { Watch::start(log); }
    void stop() override { rest(); }
    void set_resolver(const Resolver& resolver) override;

protected:
    /// The options' addresses are those of guides.
    explicit Guide(const Options& options);
    ~Guide() = default;

    Addresses& guides() { return guides_; }
    /// All of them failed.
    virtual void lost_all(std::string_view reason) { tell_not_found(reason); }
    /// The Redis is there.
    void learn(const Address& address);

private:
    void find() override;

    void opened() override;
    void broken(std::string_view reason) override;
    /// A guide is asked for the first time.
    virtual bool begin() = 0;

    Address known_;
    /// How many guides in a row did not help.
    std::size_t failures_ = 0;
    bool is_told_ = false;
};

} // namespace redis
