#pragma once

#include "options.hpp"

namespace redis {

class Locator;
class Server;

/// Whoever connects to a Redis that a Locator knows.
class Seeker {
protected:
    explicit Seeker(Locator& locator) : locator_(locator) {}
    ~Seeker() = default;

    /// Then found() or not_found() is called, maybe from inside.
    void seek();
    void give_up() { is_waiting_ = false; }
    const Locator& locator() const { return locator_; }

private:
    friend class Locator;

    virtual void found(const Address& address) = 0;
    virtual void not_found(std::string_view reason) = 0;
    /// What was found before is not right any longer: `address` is.
    virtual void moved(const Address& address) = 0;
    /// Nor is another known.
    virtual void lost(std::string_view reason) = 0;

    Locator& locator_;
    bool is_waiting_ = false;
    ngx::Link<Seeker> link_{this};
};

/// nginx's, and how long it may take; a null pointer where there is none.
struct Resolver {
    ngx_resolver_t* resolver = nullptr;
    ngx_msec_t timeout = 0;
};

/// Knows where a Redis is, and is asked again before each connection.
class Locator {
public:
    Locator(const Locator&) = delete;
    Locator& operator=(const Locator&) = delete;

    virtual void start(ngx_log_t*) {}
    virtual void stop() {}
    /// Whoever knows where each single command goes; null where the addresses that are found serve all.
    virtual Server* server() { return nullptr; }
    /// Whether what it finds serves only while it is a master.
    virtual bool finds_masters() const { return false; }
    /// For how long a master is silent before another may be in its place, in ms.
    virtual ngx_msec_t silence_of_dead() const { return NGX_MAX_INT32_VALUE; }
    /// For the names of what it finds.
    virtual void set_resolver(const Resolver& resolver) { resolver_ = resolver; }
    const Resolver& resolver() const { return resolver_; }

protected:
    Locator() { ngx_queue_init(&seekers_); }
    ~Locator() = default;

    void tell_found(const Address& address);
    void tell_not_found(std::string_view reason);
    void tell_moved(const Address& address);
    void tell_lost(std::string_view reason);

private:
    friend class Seeker;

    /// Somebody waits.
    virtual void find() = 0;
    template <class Tell>
    void tell(bool is_waiting, Tell tell);

    ngx_queue_t seekers_;
    Resolver resolver_;
};

/// Addresses that are tried in turn.
class Addresses final : public Locator {
public:
    static constexpr std::size_t most = 32;

    explicit Addresses(std::span<const Address> addresses);

    std::size_t count() const { return count_; }
    /// One that is known, or finds no room, is left.
    void add(const Address& address);
    void clear() { count_ = 0; }

private:
    void find() override;

    std::array<Address, most> addresses_;
    std::size_t count_ = 0;
    std::size_t next_ = 0;
};

} // namespace redis
