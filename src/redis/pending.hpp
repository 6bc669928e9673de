#pragma once

#include "command.hpp"
#include "metrics/metrics.hpp"

namespace redis {

/// A command that waits for its reply, in a queue of whoever is to get it.
struct Command::Pending {
    ngx_queue_t link;
    /// Null where nobody waits any longer.
    Command* command;
    ngx_msec_t deadline;
    /// When Redis must have replied to it, where it was sent; later than the deadline where it was not sent
    /// at once.
    ngx_msec_t reply_due;
    /// In µs; 0 where it is not counted.
    std::uint64_t sent_at;
    /// Of a cluster: when it is sent again, how often it was for that, and to how many nodes in a row.
    ngx_msec_t due;
    unsigned delays;
    unsigned redirections;
    /// Whether it goes to a node that the command's slot is on its way to.
    bool is_asking;

    /// Null where there is no memory.
    static Pending* make(Command* command, ngx_msec_t timeout, ngx_log_t* log);
    static Pending* of(ngx_queue_t* link) { return ngx_queue_data(link, Pending, link); }
    static Pending* take_first(ngx_queue_t* queue);

    void join(ngx_queue_t* queue) { ngx_queue_insert_tail(queue, &link); }
    /// Ends it; answers the command, if that still waits.
    Command* release();
    /// Ends it without an answer, and tells the command.
    void fail();
    /// Tells the command that it is late. What is replied is dropped.
    void give_up();

    std::span<const std::string_view> words() const { return command->words(); }
    bool is_late() const { return is_due(deadline); }
    void count(metrics::Command result) const;

    static bool is_due(ngx_msec_t time) { return static_cast<ngx_msec_int_t>(time - ngx_current_msec) <= 0; }

private:
    Command* let_go();
};

} // namespace redis
