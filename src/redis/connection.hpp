#pragma once

#include "wire.hpp"

namespace redis {

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

/// A worker's pipelined connection to one Redis. It is made again by itself, after a pause that doubles up to a
/// second. Commands that come while it is being made wait for it; while it rests they are refused. A reply that
/// is later than the timeout ends the connection, since replies come in order.
class Connection final : private Wire {
public:
    Connection(const Options& options, Locator& locator);
    ~Connection() { stop(); }

    void start(ngx_log_t* log);
    /// Commands that were sent are written, if the socket takes them at once.
    void stop();

    /// Sends `command` and answers true, or false when Redis is away: then the command is not called.
    bool send(Command& command);

    using Wire::log;
    using Wire::options;
    using Wire::url;

private:
    enum class State { idle, connecting, greeting, ready, resting };

    /// AUTH, ROLE and SELECT, before anything else.
    class Greeting final : public Command {
    public:
        explicit Greeting(Connection& connection) : connection_(connection) {}
        void start();

    private:
        std::span<const std::string_view> words() const override { return {words_, count_}; }
        void answered(Reply reply) override;
        void failed(Failure) override {}
        void next();
        const char* what_to_check() const;
        void say(std::initializer_list<std::string_view> words);

        Connection& connection_;
        int step_ = 0;
        std::string_view words_[3];
        std::size_t count_ = 0;
    };

    void opened() override;
    void heard(Reply reply) override;
    void broken(std::string_view reason) override;
    void hurry() override;

    void connect();
    void ready();
    void close(std::string_view reason);
    void rest(std::string_view reason);
    void fail_all();
    void fail(Command::Pending* pending);
    void count(const Command::Pending& pending, Reply reply);
    void hear_stray(Reply reply);
    bool transmit(Command::Pending* pending);
    bool enqueue(ngx_queue_t* queue, Command& command);
    void note_error(Reply reply);
    void arm_reply_timer();
    void check_deadlines();
    Command* release(Command::Pending* pending);

    State state_ = State::idle;
    bool was_ready_ = false;
    Greeting greeting_{*this};
    ngx_queue_t queued_;
    ngx_queue_t sent_;
    ngx_event_t connect_timer_{};
    ngx_event_t reply_timer_{};
    ngx_msec_t pause_;
    std::uint32_t last_reason_ = 0;
    time_t last_error_ = 0;
};

} // namespace redis
