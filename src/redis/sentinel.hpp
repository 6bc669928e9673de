#pragma once

#include "guide.hpp"

namespace redis {

/// Finds the master that sentinels watch. A failover is known a quarter of a second after the sentinel knows
/// it.
class Sentinels final : public Guide {
public:
    explicit Sentinels(const Options& options) : Guide(options) {}

    bool finds_masters() const override { return true; }
    ngx_msec_t silence_of_dead() const override { return down_after_; }

private:
    bool begin() override;
    bool ask() override;
    void heard(Reply reply) override;
    void learn_patience(Reply master);
    void learn_sentinels(Reply reply);

    /// Until others are asked for, in questions.
    unsigned countdown_ = 0;
    /// In ms, of sentinels.
    ngx_msec_t down_after_ = NGX_MAX_INT32_VALUE;
};

} // namespace redis
