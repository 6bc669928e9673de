#include "sentinel.hpp"

namespace redis {

namespace {

/// Sentinels are asked for others once in so many questions for the master.
constexpr unsigned questions = 20;

} // namespace

bool Sentinels::begin()
{
    countdown_ = 0;
    is_greeting_ = !options().password.empty();
    return authenticate();
}

bool Sentinels::ask()
{
    if (countdown_-- == 0) {
        countdown_ = questions;
        if (!write({"SENTINEL", "SENTINELS", options().master}))
            return false;
    }
    return write({"SENTINEL", "GET-MASTER-ADDR-BY-NAME", options().master});
}

/// A master is its host and its port, a list of sentinels one of lists, and a name that is not known is nil.
/// A sentinel that asks for no password may refuse one.
void Sentinels::heard(Reply reply)
{
    if (std::exchange(is_greeting_, false))
        return;
    if (reply.is_error())
        return fail(reply.text());
    if (reply.is_nil())
        return fail("it watches no master of this name");
    is_alive();
    if (reply[0].text().empty())
        learn_sentinels(reply);
    else
        learn({reply[0].text(), static_cast<int>(reply[1].integer())});
}

void Sentinels::learn_sentinels(Reply reply)
{
    for (std::size_t i = 0; i < reply.size(); i++) {
        std::string_view host;
        int port = 0;
        for (std::size_t field = 0; field + 1 < reply[i].size(); field += 2) {
            if (reply[i][field].text() == "ip")
                host = reply[i][field + 1].text();
            else if (reply[i][field].text() == "port")
                port = static_cast<int>(reply[i][field + 1].integer());
        }
        guides().add({host, port});
    }
}

} // namespace redis
