#pragma once

#include "ngx/nginx.hpp"
#include "reply.hpp"

struct redisAsyncContext;

namespace redis {

/// Where a Redis is and how it is asked. The texts end with a NUL behind them.
struct Options {
    /// As the configuration writes it, for the log.
    std::string_view url;
    /// A path, or empty for TCP.
    std::string_view unix_path;
    /// A numeric address.
    std::string_view address;
    int port = 6379;
    /// Empty for database 0.
    std::string_view database;
    /// Empty for the default user.
    std::string_view user;
    /// Empty where Redis asks for none.
    std::string_view password;
    ngx_msec_t connect_timeout = 1000;
    ngx_msec_t timeout = 500;

    bool operator==(const Options&) const = default;
};

class Connection;

/// A command and whoever waits for its reply. It may die while it waits: its reply is then dropped.
class Command {
public:
    Command() = default;
    Command(const Command&) = delete;
    Command& operator=(const Command&) = delete;

protected:
    ~Command();

private:
    friend class Connection;
    struct Pending;

    virtual std::span<const std::string_view> words() const = 0;
    /// Exactly one of these is called, once, and never from inside Connection::send.
    virtual void answered(Reply reply) = 0;
    virtual void failed(Failure failure) = 0;

    Pending* pending_ = nullptr;
};

/// A worker's pipelined connection to one Redis, in nginx's event loop. It is made again by itself, after a
/// pause that doubles up to a second. Commands that come while it is being made wait for it; while it rests
/// they are refused. A reply that is later than the timeout ends the connection, since replies come in order.
class Connection {
public:
    explicit Connection(const Options& options);
    ~Connection() { stop(); }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    void start(ngx_log_t* log);
    /// Commands that were sent are written, if the socket takes them at once.
    void stop();

    /// Sends `command` and answers true, or false when Redis is away: then the command is not called.
    bool send(Command& command);

    ngx_log_t* log() const { return log_; }
    const Options& options() const { return options_; }
    std::string_view url() const { return options_.url; }

private:
    enum class State { idle, connecting, greeting, ready, resting };

    /// AUTH, then SELECT, before anything else.
    class Greeting final : public Command {
    public:
        explicit Greeting(Connection& connection) : connection_(connection) {}
        void start();
        void next();

    private:
        std::span<const std::string_view> words() const override { return {words_, count_}; }
        void answered(Reply reply) override;
        void failed(Failure) override {}
        void say(std::initializer_list<std::string_view> words);

        Connection& connection_;
        int step_ = 0;
        std::string_view words_[3];
        std::size_t count_ = 0;
    };

    void connect();
    bool attach();
    void ready();
    void close(const char* reason);
    void rest(const char* reason);
    void fail_all();
    void fail(Command::Pending* pending);
    void count(const Command::Pending& pending, Reply reply);
    bool format(std::span<const std::string_view> words);
    bool transmit(Command::Pending* pending);
    bool enqueue(ngx_queue_t* queue, Command& command);
    bool has_stray_bytes() const;
    void note_error(Reply reply);
    void arm_reply_timer();
    void check_deadlines();

    Command::Pending* take();
    Command* release(Command::Pending* pending);

    static void on_connect(const redisAsyncContext* context, int status);
    static void on_disconnect(const redisAsyncContext* context, int status);
    static void on_reply(redisAsyncContext* context, void* reply, void* pending);
    static void on_readable(ngx_event_t* event);
    static void on_writable(ngx_event_t* event);
    static void add_read(void* self);
    static void del_read(void* self);
    static void add_write(void* self);
    static void del_write(void* self);
    static void detach(void* self);

    Options options_;
    State state_ = State::idle;
    ngx_log_t* log_ = nullptr;
    redisAsyncContext* context_ = nullptr;
    ngx_connection_t* connection_ = nullptr;
    bool writing_ = false;
    bool was_ready_ = false;
    Greeting greeting_{*this};
    ngx_queue_t queued_;
    ngx_queue_t sent_;
    ngx_queue_t free_;
    ngx_event_t connect_timer_{};
    ngx_event_t reply_timer_{};
    ngx_msec_t pause_;
    std::uint32_t last_reason_ = 0;
    time_t last_error_ = 0;
    /// The command that is being sent; wiped where it holds a password.
    char* text_ = nullptr;
    char* text_end_ = nullptr;
    std::size_t text_size_ = 0;
};

} // namespace redis
