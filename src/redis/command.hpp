#pragma once

#include "ngx/nginx.hpp"
#include "reply.hpp"

namespace redis {

class Replication;

/// A command and whoever waits for its reply. It may die while it waits: its reply is then dropped.
class Command {
public:
    struct Pending;

    Command() = default;
    Command(const Command&) = delete;
    Command& operator=(const Command&) = delete;

    virtual std::span<const std::string_view> words() const = 0;
    /// Exactly one of these is called, once, and never from inside Server::send.
    virtual void answered(Reply reply) = 0;
    virtual void failed(Failure failure) = 0;

protected:
    ~Command();

    /// Of the connection that it was answered on, which is there until what was told of the answer waits.
    Replication* replication_ = nullptr;
    /// Whether it is sent once more: what is left of its time is what it had.
    bool is_repeated_ = false;

private:
    friend class Connection;

    /// Among the commands of the metrics.
    virtual bool is_counted() const { return true; }

    Pending* pending_ = nullptr;
    ngx_msec_t deadline_ = 0;
};

/// Where commands are sent.
class Server {
public:
    /// Sends `command` and answers true, or false when Redis is away: then the command is not called.
    virtual bool send(Command& command) = 0;

protected:
    ~Server() = default;
};

} // namespace redis
