#pragma once

#include "ngx/timer.hpp"
#include "replication.hpp"
#include "wire.hpp"

#include <optional>

namespace redis {

/// Whoever has a connection to each node of a cluster.
class Supervisor {
public:
    /// Whether it takes care of what was answered with this error.
    virtual bool redirect(Command::Pending* pending, std::string_view error) = 0;
    /// A node's connection was lost, or is not made.
    virtual void lost_node() = 0;

protected:
    ~Supervisor() = default;
};

/// A worker's pipelined connection to one Redis. It is made again by itself, after a pause that doubles up to
/// a second. Commands that come while it is being made wait for it; while it rests they are refused. A reply
/// that is later than the timeout ends the connection, since replies come in order.
class Connection final : public Server, private Wire {
public:
    Connection(const Options& options, Locator& locator, Supervisor* supervisor = nullptr);
    ~Connection() { stop(); }

    void start(ngx_log_t* log);
    /// Commands that were sent are written, if the socket takes them at once.
    void stop(std::string_view reason = "the worker ends");

    /// Whether nothing waits for it.
    bool is_idle() const { return ngx_queue_empty(&sent_) && ngx_queue_empty(&queued_); }

    bool send(Command& command) override;
    /// The same for a command that waits already; it stays the caller's where the answer is false.
    bool accept(Command::Pending* pending);

    using Wire::log;
    using Wire::options;
    using Wire::peer;
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
        bool is_counted() const override { return false; }
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
    void connect_or_give_up();
    void ready();
    void close(std::string_view reason);
    void close_for_now(std::string_view reason);
    void rest(std::string_view reason);
    void fail_all();
    void fail(Command::Pending* pending);
    void drop(Command::Pending* pending);
    void count(const Command::Pending& pending, Reply reply);
    void hear_stray(Reply reply);
    bool transmit(Command::Pending* pending);
    void note_error(Reply reply);
    void join_sent(Command::Pending* pending);
    void look_by(ngx_msec_t time);
    void check_deadlines();
    bool give_up_late(ngx_queue_t* queue);
    void let_end();
    void ask_for_life();
    bool was_silent() const;
    bool is_doubted();

    Supervisor* supervisor_;
    State state_ = State::idle;
    bool was_ready_ = false;
    Greeting greeting_{*this};
    Replication replication_;
    ngx_queue_t queued_;
    ngx_queue_t sent_;
    ngx::Timer<Connection, &Connection::connect_or_give_up> connect_timer_{this, true};
    ngx::Timer<Connection, &Connection::check_deadlines> reply_timer_{this, false};
    ngx::Timer<Connection, &Connection::ask_for_life> life_timer_{this, true};
    ngx_msec_t pause_;
    time_t last_error_ = 0;
    /// The master that served last, and when; when it first said again that it is one.
    Address heard_from_;
    ngx_msec_t heard_at_ = 0;
    std::optional<ngx_msec_t> answered_at_;
};

} // namespace redis
