#include "sentinel.hpp"

namespace redis {

namespace {

/// Sentinels are asked for others once in so many questions for the master.
constexpr unsigned questions = 20;

} // namespace

void Sentinels::find()
{
    if (!is_open())
        return hurry();
    if (!ask())
        fail("no memory");
}

void Sentinels::opened()
{
    countdown_ = 0;
    if (!ask())
        fail("no memory");
}

bool Sentinels::ask()
{
    if (!is_connected())
        return true;
    if (countdown_-- == 0) {
        countdown_ = questions;
        if (!write({"SENTINEL", "SENTINELS", options().master}))
            return false;
    }
    return write({"SENTINEL", "GET-MASTER-ADDR-BY-NAME", options().master});
}

void Sentinels::broken(std::string_view reason)
{
    auto level = std::exchange(is_told_, true) ? NGX_LOG_INFO : NGX_LOG_ERR;
    ngx_log_error(static_cast<ngx_uint_t>(level), log(), 0, "redis %*s%*s: the sentinel does not help: %*s",
                  url().size(), url().data(), place().size(), place().data(), reason.size(), reason.data());
    if (++failures_ < sentinels_.count())
        return hurry();
    failures_ = 0;
    tell_not_found("no sentinel tells where the master is");
}

/// A master is its host and its port, a list of sentinels one of lists, and a name that is not known is nil.
void Sentinels::heard(Reply reply)
{
    if (reply.is_error())
        return fail(reply.text());
    if (reply.is_nil())
        return fail("it watches no master of this name");
    is_alive();
    if (reply[0].text().empty())
        learn_sentinels(reply);
    else
        learn_master({reply[0].text(), static_cast<int>(reply[1].integer())});
}

void Sentinels::learn_master(const Address& address)
{
    failures_ = 0;
    is_told_ = false;
    bool is_news = !(address == std::exchange(master_, address));
    tell_found(address);
    if (is_news)
        tell_moved(address);
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
        sentinels_.add({host, port});
    }
}

} // namespace redis
