#include "connection.hpp"

#include "metrics/metrics.hpp"

#include <algorithm>
#include <charconv>

#include <hiredis/async.h>

namespace redis {

namespace {

constexpr ngx_msec_t shortest_pause = 50;
constexpr ngx_msec_t longest_pause = 800;
/// Of `*N` or `$N` and the end of its line (RESP2).
constexpr std::size_t longest_head = 24;

/// In µs. nginx's own clock stands still while it works, and has milliseconds.
std::uint64_t now()
{
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1000000 +
           static_cast<std::uint64_t>(time.tv_nsec) / 1000;
}

bool is_due(ngx_msec_t deadline)
{
    return static_cast<ngx_msec_int_t>(deadline - ngx_current_msec) <= 0;
}

void append(ngx_queue_t* queue, ngx_queue_t* link)
{
    ngx_queue_insert_tail(queue, link);
}

char* write_head(char* at, char kind, std::size_t number)
{
    *at++ = kind;
    at = std::to_chars(at, at + longest_head, number).ptr;
    *at++ = '\r';
    *at++ = '\n';
    return at;
}

ngx_queue_t* take_first(ngx_queue_t* queue)
{
    auto* link = ngx_queue_head(queue);
    ngx_queue_remove(link);
    return link;
}

} // namespace

struct Command::Pending {
    ngx_queue_t link;
    Command* command;
    ngx_msec_t deadline;
    std::uint64_t sent_at;

    void count(metrics::Command result) const { metrics::count_command(result, now() - sent_at); }
    void count_failure() const
    {
        count(is_due(deadline) ? metrics::Command::timeout : metrics::Command::error);
    }

    static Pending* of(ngx_queue_t* link) { return ngx_queue_data(link, Pending, link); }
};

Command::~Command()
{
    if (pending_)
        pending_->command = nullptr;
}

// ---- the life of a connection

Connection::Connection(const Options& options) : options_(options), pause_(shortest_pause)
{
    ngx_queue_init(&queued_);
    ngx_queue_init(&sent_);
    ngx_queue_init(&free_);
    connect_timer_.data = reply_timer_.data = this;
    connect_timer_.cancelable = 1;
    connect_timer_.handler = [](ngx_event_t* event) {
        auto* self = static_cast<Connection*>(event->data);
        if (self->state_ == State::resting)
            self->connect();
        else
            self->close("connecting took too long");
    };
    reply_timer_.handler = [](ngx_event_t* event) {
        static_cast<Connection*>(event->data)->check_deadlines();
    };
}

void Connection::start(ngx_log_t* log)
{
    log_ = connect_timer_.log = reply_timer_.log = log;
    if (state_ != State::idle)
        return;
    metrics::miss_connection(1);
    connect();
}

void Connection::stop()
{
    if (state_ == State::ready)
        redisAsyncHandleWrite(context_);
    if (state_ != State::idle)
        close("the worker ends");
    state_ = State::idle;
    if (connect_timer_.timer_set)
        ngx_del_timer(&connect_timer_);
    if (reply_timer_.timer_set)
        ngx_del_timer(&reply_timer_);
    while (!ngx_queue_empty(&free_))
        ngx_free(Command::Pending::of(take_first(&free_)));
    ngx_free(std::exchange(text_, nullptr));
    text_size_ = 0;
}

void Connection::connect()
{
    state_ = State::connecting;
    context_ = options_.unix_path.empty() ? redisAsyncConnect(options_.address.data(), options_.port)
                                          : redisAsyncConnectUnix(options_.unix_path.data());
    if (!context_)
        return close("no memory");
    if (context_->err) {
        char reason[128];
        ngx_cpystrn(reinterpret_cast<u_char*>(reason), reinterpret_cast<u_char*>(context_->errstr),
                    sizeof(reason));
        return close(reason);
    }
    if (!attach())
        return close("no connection is free: raise worker_connections");
    ngx_add_timer(&connect_timer_, options_.connect_timeout);
}

bool Connection::attach()
{
    connection_ = ngx_get_connection(context_->c.fd, log_);
    if (!connection_)
        return false;
    connection_->data = this;
    connection_->read->log = connection_->write->log = log_;
    connection_->read->handler = on_readable;
    connection_->write->handler = on_writable;
    context_->data = this;
    context_->ev.data = this;
    context_->ev.addRead = add_read;
    context_->ev.delRead = del_read;
    context_->ev.addWrite = add_write;
    context_->ev.delWrite = del_write;
    context_->ev.cleanup = detach;
    redisAsyncSetConnectCallback(context_, on_connect);
    redisAsyncSetDisconnectCallback(context_, on_disconnect);
    return true;
}

void Connection::ready()
{
    state_ = State::ready;
    metrics::miss_connection(-1);
    if (std::exchange(was_ready_, true))
        metrics::count(metrics::worker().reconnects);
    ngx_del_timer(&connect_timer_);
    ngx_log_error(NGX_LOG_NOTICE, log_, 0, "redis %*s: connected", options_.url.size(), options_.url.data());
    last_reason_ = 0;
    while (!ngx_queue_empty(&queued_)) {
        auto* pending = Command::Pending::of(take_first(&queued_));
        append(&sent_, &pending->link);
        if (pending->command && transmit(pending))
            continue;
        ngx_queue_remove(&pending->link);
        fail(pending);
    }
}

/// Ends the connection and rests. Nobody is answered before hiredis has let go of everything.
void Connection::close(const char* reason)
{
    if (state_ == State::resting || state_ == State::idle)
        return;
    rest(reason);
    if (auto* context = std::exchange(context_, nullptr))
        redisAsyncFree(context);
    fail_all();
}

void Connection::rest(const char* reason)
{
    if (std::exchange(state_, State::resting) == State::ready)
        metrics::miss_connection(1);
    std::string_view text = reason;
    auto reason_hash = ngx_crc32_short(reinterpret_cast<u_char*>(const_cast<char*>(reason)), text.size());
    ngx_uint_t level = reason_hash == std::exchange(last_reason_, reason_hash) ? NGX_LOG_INFO : NGX_LOG_ERR;
    if (!ngx_exiting && !ngx_terminate)
        ngx_log_error(level, log_, 0,
                      "redis %*s: %s; requests that need it are answered 503 until it is back",
                      options_.url.size(), options_.url.data(), reason);
    ngx_add_timer(&connect_timer_, pause_ / 2 + static_cast<ngx_msec_t>(ngx_random()) % pause_);
    pause_ = ngx_min(pause_ * 2, longest_pause);
}

void Connection::fail_all()
{
    ngx_queue_t orphans;
    ngx_queue_init(&orphans);
    for (auto* queue : {&sent_, &queued_}) {
        if (ngx_queue_empty(queue))
            continue;
        ngx_queue_add(&orphans, queue);
        ngx_queue_init(queue);
    }
    while (!ngx_queue_empty(&orphans))
        fail(Command::Pending::of(take_first(&orphans)));
}

void Connection::fail(Command::Pending* pending)
{
    if (pending->command != &greeting_)
        pending->count_failure();
    if (auto* command = release(pending))
        command->failed(Failure::unavailable);
}

// ---- AUTH and SELECT

void Connection::Greeting::start()
{
    step_ = 0;
    next();
}

void Connection::Greeting::next()
{
    const auto& options = connection_.options_;
    if (step_ == 0) {
        step_ = 1;
        if (!options.password.empty() && !options.user.empty())
            return say({"AUTH", options.user, options.password});
        if (!options.password.empty())
            return say({"AUTH", options.password});
    }
    if (step_ == 1) {
        step_ = 2;
        if (!options.database.empty())
            return say({"SELECT", options.database});
    }
    connection_.ready();
}

void Connection::Greeting::say(std::initializer_list<std::string_view> words)
{
    count_ = words.size();
    std::copy(words.begin(), words.end(), words_);
    connection_.enqueue(&connection_.sent_, *this);
    ngx_explicit_memzero(connection_.text_, connection_.text_size_);
}

// The text of the error may hold what was sent, so only its first word is told.
void Connection::Greeting::answered(Reply reply)
{
    if (!reply.is_error())
        return next();
    auto error = reply.text();
    char reason[160];
    auto word = error.substr(0, ngx_min(error.find(' '), std::size_t(32)));
    *ngx_snprintf(reinterpret_cast<u_char*>(reason), sizeof(reason) - 1, "%*s was refused with %*s: check %s",
                  words_[0].size(), words_[0].data(), word.size(), word.data(),
                  words_[0] == "AUTH" ? "user= and password_file=" : "the number of the database") = '\0';
    connection_.close(reason);
}

// ---- commands

bool Connection::send(Command& command)
{
    if (state_ == State::idle || state_ == State::resting)
        return false;
    return enqueue(state_ == State::ready ? &sent_ : &queued_, command);
}

bool Connection::enqueue(ngx_queue_t* queue, Command& command)
{
    auto* pending = take();
    if (!pending)
        return false;
    pending->command = &command;
    pending->deadline = ngx_current_msec + options_.timeout;
    pending->sent_at = now();
    command.pending_ = pending;
    append(queue, &pending->link);
    if (queue == &sent_ && !transmit(pending)) {
        ngx_queue_remove(&pending->link);
        release(pending);
        return false;
    }
    reply_timer_.cancelable = 0;
    if (!reply_timer_.timer_set)
        ngx_add_timer(&reply_timer_, options_.timeout);
    return true;
}

/// What hiredis' own formatting does, without its allocations: a quarter of what a command costs a worker.
bool Connection::format(std::span<const std::string_view> words)
{
    std::size_t size = longest_head;
    for (auto word : words)
        size += longest_head + word.size() + 2;
    if (size > text_size_) {
        ngx_free(text_);
        text_ = static_cast<char*>(ngx_alloc(size, log_));
        text_size_ = text_ ? size : 0;
    }
    if (!text_)
        return false;
    char* at = write_head(text_, '*', words.size());
    for (auto word : words) {
        at = write_head(at, '$', word.size());
        at = std::copy(word.begin(), word.end(), at);
        *at++ = '\r';
        *at++ = '\n';
    }
    text_end_ = at;
    return true;
}

bool Connection::transmit(Command::Pending* pending)
{
    return format(pending->command->words()) &&
           redisAsyncFormattedCommand(context_, on_reply, pending, text_,
                                      static_cast<std::size_t>(text_end_ - text_)) == REDIS_OK;
}

Command::Pending* Connection::take()
{
    if (!ngx_queue_empty(&free_))
        return Command::Pending::of(take_first(&free_));
    return static_cast<Command::Pending*>(ngx_alloc(sizeof(Command::Pending), log_));
}

Command* Connection::release(Command::Pending* pending)
{
    auto* command = pending->command;
    if (command)
        command->pending_ = nullptr;
    append(&free_, &pending->link);
    // with nobody to wait for, a worker that ends does not wait
    reply_timer_.cancelable = ngx_queue_empty(&sent_) && ngx_queue_empty(&queued_);
    return command;
}

// ---- replies

void Connection::on_reply(redisAsyncContext* context, void* reply, void* data)
{
    auto* self = static_cast<Connection*>(context->data);
    if (!reply) {
        self->context_ = nullptr;
        return self->close(context->err ? context->errstr : "the connection ended");
    }
    auto* pending = static_cast<Command::Pending*>(data);
    ngx_queue_remove(&pending->link);
    Reply view(static_cast<const redisReply*>(reply));
    self->count(*pending, view);
    auto* command = self->release(pending);
    if (self->has_stray_bytes()) {
        self->close("it sent a reply that nobody asked for");
        return command ? command->failed(Failure::unavailable) : void();
    }
    self->pause_ = shortest_pause;
    if (view.is_error())
        self->note_error(view);
    if (command)
        command->answered(view);
}

/// A command that is sent again with its script's text counts then.
void Connection::count(const Command::Pending& pending, Reply reply)
{
    bool is_asked_again = reply.is_error() && reply.text().starts_with("NOSCRIPT");
    if (pending.command == &greeting_ || is_asked_again)
        return;
    pending.count(reply.is_error() ? metrics::Command::error : metrics::Command::ok);
}

/// hiredis asserts that each reply has somebody who waits for it, so what comes too much must not reach it.
bool Connection::has_stray_bytes() const
{
    const auto* reader = context_ ? context_->c.reader : nullptr;
    return reader && ngx_queue_empty(&sent_) && reader->pos < reader->len;
}

void Connection::note_error(Reply reply)
{
    auto error = reply.text();
    if (state_ != State::ready || error.starts_with("NOSCRIPT"))
        return;
    if (std::exchange(last_error_, ngx_time()) != ngx_time())
        ngx_log_error(NGX_LOG_ERR, log_, 0, "redis %*s answered: %*s", options_.url.size(),
                      options_.url.data(), ngx_min(error.size(), std::size_t(200)), error.data());
}

void Connection::check_deadlines()
{
    while (!ngx_queue_empty(&queued_)) {
        auto* pending = Command::Pending::of(ngx_queue_head(&queued_));
        if (pending->command && !is_due(pending->deadline))
            break;
        ngx_queue_remove(&pending->link);
        fail(pending);
    }
    if (!ngx_queue_empty(&sent_) && is_due(Command::Pending::of(ngx_queue_head(&sent_))->deadline))
        close("it does not answer in time");
    arm_reply_timer();
}

void Connection::arm_reply_timer()
{
    auto* queue = ngx_queue_empty(&sent_) ? &queued_ : &sent_;
    if (ngx_queue_empty(queue) || reply_timer_.timer_set)
        return;
    auto left =
        static_cast<ngx_msec_int_t>(Command::Pending::of(ngx_queue_head(queue))->deadline - ngx_current_msec);
    ngx_add_timer(&reply_timer_, static_cast<ngx_msec_t>(ngx_max(left, 1)));
}

// ---- hiredis in nginx's event loop

void Connection::on_connect(const redisAsyncContext* context, int status)
{
    auto* self = static_cast<Connection*>(context->data);
    if (status != REDIS_OK) {
        self->context_ = nullptr;
        return self->close(context->errstr ? context->errstr : "connecting failed");
    }
    self->state_ = State::greeting;
    self->greeting_.start();
}

void Connection::on_disconnect(const redisAsyncContext* context, int)
{
    auto* self = static_cast<Connection*>(context->data);
    if (self->context_ != context)
        return;
    self->context_ = nullptr;
    self->close(context->err ? context->errstr : "the connection ended");
}

void Connection::on_readable(ngx_event_t* event)
{
    auto* self = static_cast<Connection*>(static_cast<ngx_connection_t*>(event->data)->data);
    char first = '-';
    bool idle = self->state_ == State::ready && ngx_queue_empty(&self->sent_);
    if (idle && recv(self->connection_->fd, &first, 1, MSG_PEEK) == 1 && first != '-')
        return self->close("it sent a reply that nobody asked for");
    redisAsyncHandleRead(self->context_);
}

void Connection::on_writable(ngx_event_t* event)
{
    auto* self = static_cast<Connection*>(static_cast<ngx_connection_t*>(event->data)->data);
    self->writing_ = true;
    redisAsyncHandleWrite(self->context_);
    self->writing_ = false;
}

void Connection::add_read(void* data)
{
    auto* event = static_cast<Connection*>(data)->connection_->read;
    if (!event->active)
        ngx_add_event(event, NGX_READ_EVENT, NGX_LEVEL_EVENT);
}

void Connection::del_read(void* data)
{
    auto* event = static_cast<Connection*>(data)->connection_->read;
    if (event->active)
        ngx_del_event(event, NGX_READ_EVENT, 0);
}

// What the requests of one turn of the event loop ask is written at its end, by one system call. Only a
// socket that is not connected yet, or did not take everything, waits for epoll.
void Connection::add_write(void* data)
{
    auto* self = static_cast<Connection*>(data);
    auto* event = self->connection_->write;
    if (event->active)
        return;
    if (self->writing_ || self->state_ == State::connecting)
        ngx_add_event(event, NGX_WRITE_EVENT, NGX_LEVEL_EVENT);
    else
        ngx_post_event(event, &ngx_posted_events);
}

void Connection::del_write(void* data)
{
    auto* event = static_cast<Connection*>(data)->connection_->write;
    if (event->active)
        ngx_del_event(event, NGX_WRITE_EVENT, 0);
}

// hiredis closes the descriptor.
void Connection::detach(void* data)
{
    auto* connection = std::exchange(static_cast<Connection*>(data)->connection_, nullptr);
    if (!connection)
        return;
    if (connection->read->active)
        ngx_del_event(connection->read, NGX_READ_EVENT, 0);
    if (connection->write->active)
        ngx_del_event(connection->write, NGX_WRITE_EVENT, 0);
    connection->shared = 1;
    ngx_close_connection(connection);
}

} // namespace redis
