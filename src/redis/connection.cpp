#include "connection.hpp"

#include "pending.hpp"

namespace redis {

namespace {

constexpr ngx_msec_t shortest_pause = 50;
constexpr ngx_msec_t longest_pause = 800;
/// A sentinel sees within a second that it has made another the master, and tells the others at once.
constexpr ngx_msec_t longest_doubt = 2000;
constexpr ngx_msec_t sign_interval = 250;
constexpr std::string_view replaced = "another may have been made the master while it was silent";
constexpr std::string_view unasked = "it sent a reply that nobody asked for";

using Pending = Command::Pending;

} // namespace

// ---- the life of a connection

Connection::Connection(const Options& options, Locator& locator, Supervisor* supervisor)
    : Wire(options, locator), supervisor_(supervisor), replication_(*this, options), pause_(shortest_pause)
{
    ngx_queue_init(&queued_);
    ngx_queue_init(&sent_);
}

void Connection::start(ngx_log_t* log)
{
    set_log(log);
    connect_timer_.set_log(log);
    reply_timer_.set_log(log);
    life_timer_.set_log(log);
    if (state_ != State::idle)
        return;
    metrics::miss_connection(1);
    connect();
}

void Connection::stop(std::string_view reason)
{
    if (state_ == State::ready)
        flush();
    if (state_ != State::idle) {
        close(reason);
        metrics::miss_connection(-1);
    }
    state_ = State::idle;
    pause_ = shortest_pause;
    connect_timer_.stop();
    reply_timer_.stop();
    life_timer_.stop();
}

void Connection::connect_or_give_up()
{
    if (state_ == State::resting)
        connect();
    else
        close("connecting took too long");
}

void Connection::connect()
{
    state_ = State::connecting;
    connect_timer_.start(options().connect_timeout);
    open();
}

void Connection::opened()
{
    state_ = State::greeting;
    greeting_.start();
}

void Connection::ready()
{
    state_ = State::ready;
    metrics::miss_connection(-1);
    if (std::exchange(was_ready_, true))
        metrics::count(metrics::worker().reconnects);
    connect_timer_.stop();
    ngx_log_error(NGX_LOG_NOTICE, log(), 0, "redis %*s%*s: connected", url().size(), url().data(),
                  place().size(), place().data());
    has_begun();
    heard_from_ = address();
    heard_at_ = ngx_current_msec;
    if (seeks_master())
        life_timer_.start(sign_interval);
    while (!ngx_queue_empty(&queued_)) {
        auto* pending = Pending::take_first(&queued_);
        if (!pending->command || !transmit(pending))
            fail(pending);
    }
}

/// Ends the connection and rests.
void Connection::close(std::string_view reason)
{
    if (state_ != State::resting && state_ != State::idle)
        Wire::fail(reason);
}

/// There will soon be another master.
void Connection::close_for_now(std::string_view reason)
{
    pause_ = shortest_pause;
    close(reason);
}

// Nobody is answered before the next attempt is under way.
void Connection::broken(std::string_view reason)
{
    rest(reason);
    fail_all();
    if (supervisor_)
        supervisor_->lost_node();
}

void Connection::rest(std::string_view reason)
{
    if (std::exchange(state_, State::resting) == State::ready)
        metrics::miss_connection(1);
    auto level = level_of_loss(reason);
    if (!ngx_exiting && !ngx_terminate)
        ngx_log_error(
            level, log(), 0, "redis %*s%*s: %*s; requests that need it are answered 503 until it is back",
            url().size(), url().data(), place().size(), place().data(), reason.size(), reason.data());
    connect_timer_.start(pause_ / 2 + static_cast<ngx_msec_t>(ngx_random()) % pause_);
    pause_ = ngx_min(pause_ * 2, longest_pause);
}

void Connection::hurry()
{
    if (state_ != State::resting)
        return;
    pause_ = shortest_pause;
    connect_timer_.start(1);
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
        fail(Pending::take_first(&orphans));
}

void Connection::fail(Pending* pending)
{
    let_end();
    pending->fail();
}

/// One that was not sent, and that nobody waits for.
void Connection::drop(Pending* pending)
{
    ngx_queue_remove(&pending->link);
    pending->release();
    let_end();
}

/// With nobody to wait for, a worker that ends does not wait.
void Connection::let_end()
{
    reply_timer_.set_cancelable(is_idle());
}

// ---- AUTH, ROLE and SELECT

void Connection::Greeting::start()
{
    step_ = 0;
    next();
}

void Connection::Greeting::next()
{
    const auto& options = connection_.options();
    if (step_ == 0) {
        step_ = 1;
        if (!options.password.empty() && !options.user.empty())
            return say({"AUTH", options.user, options.password});
        if (!options.password.empty())
            return say({"AUTH", options.password});
    }
    if (step_ == 1) {
        step_ = 2;
        if (connection_.seeks_master())
            return say({"ROLE"});
    }
    if (step_ == 2) {
        step_ = 3;
        if (!options.database.empty())
            return say({"SELECT", options.database});
    }
    connection_.ready();
}

void Connection::Greeting::say(std::initializer_list<std::string_view> words)
{
    count_ = words.size();
    std::copy(words.begin(), words.end(), words_);
    if (!connection_.send(*this))
        connection_.close("no memory");
    connection_.wipe();
}

const char* Connection::Greeting::what_to_check() const
{
    if (words_[0] == "AUTH")
        return "user= and password_file=";
    return words_[0] == "ROLE" ? "the rights of the user" : "the number of the database";
}

void Connection::Greeting::answered(Reply reply)
{
    if (words_[0] == "ROLE" && !reply.is_error() && reply[0].text() != "master")
        return connection_.close_for_now("it is no master");
    if (words_[0] == "ROLE" && connection_.is_doubted())
        return connection_.close_for_now(replaced);
    if (!reply.is_error())
        return next();
    char reason[160];
    auto word = reply.error_word();
    auto* end =
        ngx_snprintf(reinterpret_cast<u_char*>(reason), sizeof(reason), "%*s was refused with %*s: check %s",
                     words_[0].size(), words_[0].data(), word.size(), word.data(), what_to_check());
    connection_.close({reason, static_cast<std::size_t>(reinterpret_cast<char*>(end) - reason)});
}

// ---- commands

bool Connection::send(Command& command)
{
    if (state_ == State::idle || state_ == State::resting)
        return false;
    auto* pending = Pending::make(&command, options().timeout, log());
    if (pending && accept(pending))
        return true;
    if (pending)
        pending->release();
    return false;
}

bool Connection::accept(Pending* pending)
{
    if (state_ == State::idle || state_ == State::resting)
        return false;
    if (state_ == State::connecting || (state_ == State::greeting && pending->command != &greeting_))
        pending->join(&queued_);
    else if (!transmit(pending))
        return false;
    reply_timer_.set_cancelable(false);
    look_by(pending->deadline);
    return true;
}

/// Where there is no memory it is still the caller's.
bool Connection::transmit(Pending* pending)
{
    if (pending->is_asking) {
        auto* asking = Pending::make(nullptr, options().timeout, log());
        if (!asking)
            return false;
        join_sent(asking);
        if (!write({"ASKING"})) {
            ngx_queue_remove(&asking->link);
            asking->release();
            return false;
        }
    }
    if (!write(pending->words()))
        return false;
    join_sent(pending);
    return true;
}

void Connection::join_sent(Pending* pending)
{
    pending->reply_due = ngx_current_msec + options().timeout;
    pending->join(&sent_);
}

// ---- replies

void Connection::heard(Reply reply)
{
    if (ngx_queue_empty(&sent_))
        return hear_stray(reply);
    auto* pending = Pending::take_first(&sent_);
    let_end();
    if (ngx_queue_empty(&sent_) && has_more()) {
        close(unasked);
        return pending->fail();
    }
    if (state_ == State::ready && !reply.is_error())
        pause_ = shortest_pause;
    if (state_ == State::ready && seeks_master()) {
        if (was_silent()) {
            close(replaced);
            return pending->fail();
        }
        heard_at_ = ngx_current_msec;
    }
    if (supervisor_ && reply.is_error() && pending->command && supervisor_->redirect(pending, reply.text()))
        return;
    count(*pending, reply);
    if (reply.is_error())
        note_error(reply);
    bool is_demoted = seeks_master() && reply.is_error() && reply.text().starts_with("READONLY");
    if (auto* command = pending->release()) {
        command->replication_ = &replication_;
        command->answered(reply);
    }
    if (is_demoted)
        close("it is no master any longer");
}

/// A Redis that takes no more clients says so before it is asked.
void Connection::hear_stray(Reply reply)
{
    close(reply.is_error() ? reply.text() : unasked);
}

/// A command that is sent again with its script's text counts then.
void Connection::count(const Pending& pending, Reply reply)
{
    if (!reply.is_error() || !reply.text().starts_with("NOSCRIPT"))
        pending.count(reply.is_error() ? metrics::Command::error : metrics::Command::ok);
}

void Connection::note_error(Reply reply)
{
    auto error = reply.text();
    if (state_ != State::ready || error.starts_with("NOSCRIPT"))
        return;
    if (std::exchange(last_error_, ngx_time()) != ngx_time())
        ngx_log_error(NGX_LOG_ERR, log(), 0, "redis %*s%*s answered: %*s", url().size(), url().data(),
                      place().size(), place().data(), ngx_min(error.size(), std::size_t(200)), error.data());
}

/// A command that is late alone, since it was not sent at once, is no reason to lose the others'.
void Connection::check_deadlines()
{
    if (!ngx_queue_empty(&sent_) && Pending::is_due(Pending::of(ngx_queue_head(&sent_))->reply_due))
        return close("it does not answer in time");
    if (give_up_late(&sent_) && give_up_late(&queued_) && !ngx_queue_empty(&sent_))
        look_by(Pending::of(ngx_queue_head(&sent_))->reply_due);
}

/// False where whoever was told has lost the connection.
bool Connection::give_up_late(ngx_queue_t* queue)
{
    auto state = state_;
    ngx_queue_t* next;
    for (auto* link = ngx_queue_head(queue); link != ngx_queue_sentinel(queue); link = next) {
        auto* pending = Pending::of(link);
        if (pending->command && pending->is_late())
            pending->give_up();
        if (state_ != state)
            return false;
        next = ngx_queue_next(link);
        if (pending->command)
            look_by(pending->deadline);
        else if (queue == &queued_)
            drop(pending);
    }
    return true;
}

/// Whoever finds masters by others must know how long this one was silent.
void Connection::ask_for_life()
{
    if (state_ != State::ready)
        return;
    life_timer_.start(sign_interval);
    auto* pending = Pending::make(nullptr, options().timeout, log());
    if (!pending)
        return;
    if (!write({"PING"}))
        return void(pending->release());
    join_sent(pending);
    look_by(pending->reply_due);
}

bool Connection::was_silent() const
{
    return ngx_current_msec - heard_at_ >= silence_of_dead();
}

/// Whether another may be the master since this one was silent, and is not named yet.
bool Connection::is_doubted()
{
    bool is_suspect = heard_from_ == address() && was_silent();
    if (is_suspect && !answered_at_)
        answered_at_ = ngx_current_msec;
    if (is_suspect && ngx_current_msec - *answered_at_ < longest_doubt)
        return true;
    answered_at_.reset();
    return false;
}

/// Deadlines are looked at by then.
void Connection::look_by(ngx_msec_t time)
{
    auto left = static_cast<ngx_msec_int_t>(time - ngx_current_msec);
    reply_timer_.start_by(static_cast<ngx_msec_t>(ngx_max(left, 1)));
}

} // namespace redis
