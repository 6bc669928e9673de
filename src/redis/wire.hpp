#pragma once

#include "locator.hpp"
#include "reply.hpp"

#include <optional>

struct redisContext;

namespace redis {

/// A socket to a Redis in nginx's event loop: commands go out, and replies come in.
class Wire : private Seeker {
public:
    Wire(const Wire&) = delete;
    Wire& operator=(const Wire&) = delete;

    ngx_log_t* log() const { return log_; }
    const Options& options() const { return options_; }
    std::string_view url() const { return options_.url; }

protected:
    Wire(const Options& options, Locator& locator);
    ~Wire();

    void set_log(ngx_log_t* log) { log_ = log; }
    /// Asks where Redis is, and connects. Then opened() or broken() is called, maybe from inside.
    void open();
    /// broken() is not called.
    void shut();
    void fail(std::string_view reason);
    bool seeks_master() const { return locator().finds_masters(); }
    ngx_msec_t silence_of_dead() const { return locator().silence_of_dead(); }
    bool is_open() const { return context_ || question_; }
    bool is_connected() const { return context_ && is_connected_; }
    /// False where there is no memory. What one turn of the event loop asks is sent at its end.
    bool write(std::span<const std::string_view> words);
    bool write(std::initializer_list<std::string_view> words) { return write({words.begin(), words.end()}); }
    /// Forgets what was written: it was a password.
    void wipe() { ngx_explicit_memzero(text_, text_size_); }
    /// Writes AUTH, where the options have a password.
    bool authenticate();
    /// Whether the reply that is being heard is the one to authenticate().
    bool is_greeting() const { return is_greeting_; }
    /// What an error says, for the log.
    std::string_view reason(Reply error) const { return is_greeting_ ? error.error_word() : error.text(); }
    /// Sends now what the socket takes.
    void flush();
    /// Whether there is more behind the reply that is being heard.
    bool has_more() const;
    /// It is good from now on.
    void has_begun() { begun_at_ = ngx_current_msec; }
    /// Of a loss in the log: an error, and no more than information where it comes again for the same reason.
    ngx_uint_t level_of_loss(std::string_view reason);
    /// Where it is, for the log; empty where the URL says so.
    std::string_view place() const;
    const Address& address() const { return address_; }
    /// Tells one server from another at the same URL: by all addresses that its name has, or by the file of
    /// its socket. 0 before any is found.
    std::uint64_t peer() const { return peer_; }

private:
    virtual void opened() = 0;
    virtual void heard(Reply reply) = 0;
    /// It is shut.
    virtual void broken(std::string_view reason) = 0;
    /// There is reason to open it again without a pause.
    virtual void hurry() = 0;

    void found(const Address& address) override;
    bool look_up();
    void looked_up(const ngx_resolver_ctx_t& answer);
    std::uint64_t peer_at(const Address& address) const;
    void connect(const Address& address, std::uint64_t peer);
    void not_found(std::string_view reason) override { fail(reason); }
    void moved(const Address& address) override;
    void lost(std::string_view reason) override { is_open() ? fail(reason) : void(); }

    bool attach();
    bool has_connected();
    bool has_socket();
    bool has_tls();
    bool format(std::span<const std::string_view> words);
    void read();

    Options options_;
    ngx_log_t* log_ = nullptr;
    redisContext* context_ = nullptr;
    ngx_connection_t* connection_ = nullptr;
    bool is_connected_ = false;
    bool is_greeting_ = false;
    /// Owned by the context; null before TLS begins.
    ssl_st* tls_ = nullptr;
    ngx_resolver_ctx_t* question_ = nullptr;
    /// As it was found, perhaps by name.
    Address address_;
    std::array<char, 160> place_{};
    std::uint64_t peer_ = 0;
    std::optional<ngx_msec_t> begun_at_;
    std::uint32_t last_reason_ = 0;
    /// The command that is being written.
    char* text_ = nullptr;
    char* text_end_ = nullptr;
    std::size_t text_size_ = 0;
};

} // namespace redis
