#include "sentinel.hpp"

namespace redis {

namespace {

/// Sentinels are asked for others, and for what they think of the master, once in so many questions for it.
constexpr unsigned questions = 20;

/// Of an instance that a sentinel tells of: names and values in turn.
Reply field(Reply instance, std::string_view name)
{
    std::size_t i = 0;
    while (i < instance.size() && instance[i].text() != name)
        i += 2;
    return instance[i + 1];
}

} // namespace

bool Sentinels::begin()
{
    countdown_ = 0;
    return authenticate();
}

bool Sentinels::ask()
{
    if (countdown_-- == 0) {
        countdown_ = questions;
        if (!write({"SENTINEL", "SENTINELS", options().master}) ||
            !write({"SENTINEL", "MASTER", options().master}))
            return false;
    }
    return write({"SENTINEL", "GET-MASTER-ADDR-BY-NAME", options().master});
}

/// A master is its host and its port, a list of sentinels one of lists, and a name that is not known is nil.
/// A sentinel that asks for no password may refuse one.
void Sentinels::heard(Reply reply)
{
    if (is_greeting())
        return;
    if (reply.is_error())
        return fail(reply.text());
    if (reply.is_nil())
        return fail("it watches no master of this name");
    is_alive();
    if (reply[0].text().empty())
        learn_sentinels(reply);
    else if (reply[0].text() == "name")
        learn_patience(reply);
    else
        learn({reply[0].text(), static_cast<int>(reply[1].integer())});
}

void Sentinels::learn_patience(Reply master)
{
    auto time = field(master, "down-after-milliseconds").integer();
    if (time > 0)
        down_after_ = static_cast<ngx_msec_t>(time);
}

void Sentinels::learn_sentinels(Reply reply)
{
    for (std::size_t i = 0; i < reply.size(); i++)
        guides().add({field(reply[i], "ip").text(), static_cast<int>(field(reply[i], "port").integer())});
}

} // namespace redis
