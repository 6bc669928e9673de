#include "pending.hpp"

namespace redis {

namespace {

/// In µs. nginx's own clock stands still while it works, and has milliseconds.
std::uint64_t now()
{
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1000000 +
           static_cast<std::uint64_t>(time.tv_nsec) / 1000;
}

} // namespace

Command::~Command()
{
    if (pending_)
        pending_->command = nullptr;
}

Command::Pending* Command::Pending::make(Command* command, ngx_msec_t timeout, ngx_log_t* log)
{
    auto* memory = ngx_alloc(sizeof(Pending), log);
    if (!memory)
        return nullptr;
    auto* pending = new (memory) Pending{};
    pending->command = command;
    pending->deadline = command && command->is_repeated_ ? command->deadline_ : ngx_current_msec + timeout;
    if (command) {
        command->deadline_ = pending->deadline;
        command->pending_ = pending;
        pending->sent_at = command->is_counted() ? now() : 0;
    }
    return pending;
}

Command::Pending* Command::Pending::take_first(ngx_queue_t* queue)
{
    auto* link = ngx_queue_head(queue);
    ngx_queue_remove(link);
    return of(link);
}

Command* Command::Pending::let_go()
{
    auto* waiting = std::exchange(command, nullptr);
    if (waiting)
        waiting->pending_ = nullptr;
    return waiting;
}

Command* Command::Pending::release()
{
    auto* waiting = let_go();
    ngx_free(this);
    return waiting;
}

void Command::Pending::fail()
{
    count(is_late() ? metrics::Command::timeout : metrics::Command::error);
    if (auto* waiting = release())
        waiting->failed(Failure::unavailable);
}

void Command::Pending::give_up()
{
    count(metrics::Command::timeout);
    sent_at = 0;
    let_go()->failed(Failure::unavailable);
}

void Command::Pending::count(metrics::Command result) const
{
    if (sent_at)
        metrics::count_command(result, now() - sent_at);
}

} // namespace redis
