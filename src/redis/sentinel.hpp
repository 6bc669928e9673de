#pragma once

#include "guide.hpp"

namespace redis {

/// Finds the master that sentinels watch. A failover is known a quarter of a second after the sentinel knows
/// it.
class Sentinels final : public Guide {
public:
    explicit Sentinels(const Options& options) : Guide(options) {}

    bool finds_masters() const override { return true; }

private:
    bool begin() override;
    bool ask() override;
    void heard(Reply reply) override;
    void learn_sentinels(Reply reply);

    /// Whether the reply to the password is still to come.
    bool is_greeting_ = false;
    /// Until others are asked for, in questions.
    unsigned countdown_ = 0;
};

} // namespace redis
