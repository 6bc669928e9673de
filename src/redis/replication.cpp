#include "replication.hpp"

#include <charconv>

namespace redis {

namespace {

/// A write may wait for the question before its own, and is to be answered before its connection is given up.
constexpr ngx_msec_t parts_of_timeout = 3;

template <std::size_t size>
std::string_view write(std::array<char, size>& memory, ngx_msec_t number)
{
    auto* end = std::to_chars(memory.data(), memory.data() + size, number).ptr;
    return {memory.data(), static_cast<std::size_t>(end - memory.data())};
}

void move_all(ngx_queue_t* from, ngx_queue_t* to)
{
    if (ngx_queue_empty(from))
        return;
    ngx_queue_add(to, from);
    ngx_queue_init(from);
}

} // namespace

Replication::Replication(Server& connection, const Options& options)
    : connection_(connection),
      replicas_(options.replicas), words_{"WAIT", write(count_, replicas_),
                                          write(time_, ngx_max(options.timeout / parts_of_timeout, 1))}
{
    ngx_queue_init(&asked_);
    ngx_queue_init(&joined_);
}

bool Replication::join(Replicated& waiting)
{
    waiting.link_.join(&joined_);
    if (is_under_way_ || ask())
        return true;
    waiting.link_.leave();
    return false;
}

bool Replication::ask()
{
    is_under_way_ = connection_.send(*this);
    if (!is_under_way_)
        return false;
    move_all(&joined_, &asked_);
    return true;
}

void Replication::answered(Reply reply)
{
    tell(!reply.is_error() && reply.integer() >= replicas_);
}

/// Whoever is told may be gone, and others with it, so the queue is looked at anew each time.
void Replication::tell(bool is_replicated)
{
    is_under_way_ = false;
    ngx_queue_t told;
    ngx_queue_init(&told);
    move_all(&asked_, &told);
    ngx_queue_t lost;
    ngx_queue_init(&lost);
    if (!ngx_queue_empty(&joined_) && !ask())
        move_all(&joined_, &lost);
    for (auto* queue : {&told, &lost})
        while (!ngx_queue_empty(queue)) {
            auto* waiting = ngx::Link<Replicated>::owner_of(ngx_queue_head(queue));
            waiting->link_.leave();
            waiting->is_replicated_ = is_replicated && queue == &told;
            waiting->request_.resume(waiting->waiting_);
        }
}

bool Replicated::await_ready()
{
    is_replicated_ = !replication_.is_asked();
    return is_replicated_ || !replication_.join(*this);
}

} // namespace redis
