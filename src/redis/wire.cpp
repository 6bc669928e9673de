#include "wire.hpp"

#include <charconv>

#include <hiredis/hiredis.h>

namespace redis {

namespace {

/// Of `*N` or `$N` and the end of its line (RESP2).
constexpr std::size_t longest_head = 24;
/// Behind it there must be time to connect, for whoever takes a second without a word for a loss.
constexpr ngx_msec_t longest_look_up = 500;

char* write_head(char* at, char kind, std::size_t number)
{
    *at++ = kind;
    at = std::to_chars(at, at + longest_head, number).ptr;
    *at++ = '\r';
    *at++ = '\n';
    return at;
}

/// In ms: what is lost sooner than that has not been back.
constexpr ngx_msec_t shortest_life = 5000;

std::uint64_t file_of(const Address& path)
{
    struct stat file;
    return stat(path.host(), &file) == 0 ? std::uint64_t(file.st_dev) << 40 ^ file.st_ino : 1;
}

/// Their sum is that of a name, whatever order its addresses come in.
std::uint64_t hash(std::string_view host)
{
    return ngx_murmur_hash2(ngx::str(host).data, host.size());
}

} // namespace

// ---- the life of a socket

Wire::Wire(const Options& options, Locator& locator) : Seeker(locator), options_(options) {}

Wire::~Wire()
{
    shut();
    ngx_free(text_);
}

void Wire::open()
{
    seek();
}

void Wire::found(const Address& address)
{
    address_ = address;
    if (!look_up())
        connect(address, peer_at(address));
}

/// Whether nginx's resolver is asked.
bool Wire::look_up()
{
    const auto& [resolver, timeout] = locator().resolver();
    auto name = address_.name();
    auto* question = resolver && !name.empty() ? ngx_resolve_start(resolver, nullptr) : nullptr;
    if (!question || question == NGX_NO_RESOLVER)
        return false;
    question->name = ngx::str(name);
    question->data = this;
    question->handler = [](ngx_resolver_ctx_t* answer) {
        static_cast<Wire*>(answer->data)->looked_up(*answer);
    };
    // so that the address of the configuration has its turn
    auto patience = ngx_min(options_.connect_timeout, options_.timeout) / 2;
    question->timeout = ngx_min(ngx_min(timeout, longest_look_up), patience);
    question->cancelable = 1;
    question_ = question;
    if (ngx_resolve_name(question) == NGX_OK)
        return true;
    question_ = nullptr;
    return false;
}

void Wire::looked_up(const ngx_resolver_ctx_t& answer)
{
    auto address = address_;
    auto peer = peer_at(address);
    if (answer.state == NGX_OK) {
        auto chosen = static_cast<ngx_uint_t>(ngx_random()) % answer.naddrs;
        peer = 0;
        for (ngx_uint_t i = 0; i < answer.naddrs; i++) {
            u_char text[NGX_SOCKADDR_STRLEN];
            auto size =
                ngx_sock_ntop(answer.addrs[i].sockaddr, answer.addrs[i].socklen, text, sizeof(text), 0);
            std::string_view host(reinterpret_cast<char*>(text), size);
            peer += hash(host);
            if (i == chosen)
                address = {host, address_.port()};
        }
    }
    ngx_resolve_name_done(std::exchange(question_, nullptr));
    connect(address, peer);
}

/// Where no name server is asked.
std::uint64_t Wire::peer_at(const Address& address) const
{
    if (address.is_path())
        return file_of(address);
    if (options_.topology != Topology::single)
        return hash(address.host()) + static_cast<std::uint64_t>(address.port());
    std::uint64_t sum = 0;
    for (const auto& one : options_.addresses)
        sum += hash(one.host());
    return sum;
}

void Wire::connect(const Address& address, std::uint64_t peer)
{
    is_connected_ = false;
    peer_ = peer;
    tls_ = nullptr;
    *ngx_snprintf(reinterpret_cast<u_char*>(place_.data()), place_.size() - 1, " (%s:%d)", address.host(),
                  address.port()) = '\0';
    if (!address.is_path() && !address.is_numeric())
        return fail("its name is not found by nginx's resolver");
    context_ = address.is_path() ? redisConnectUnixNonBlock(address.host())
                                 : redisConnectNonBlock(address.host(), address.port());
    if (!context_ || context_->err)
        return fail(context_ ? context_->errstr : "no memory");
    if (!attach())
        fail("no connection is free: raise worker_connections");
}

void Wire::moved(const Address& address)
{
    if (is_open() && address_ == address)
        return;
    if (is_open())
        fail("another one is the master now");
    hurry();
}

bool Wire::attach()
{
    connection_ = ngx_get_connection(context_->fd, log_);
    if (!connection_)
        return false;
    connection_->data = this;
    connection_->read->log = connection_->write->log = log_;
    connection_->read->handler = [](ngx_event_t* event) {
        static_cast<Wire*>(static_cast<ngx_connection_t*>(event->data)->data)->read();
    };
    connection_->write->handler = [](ngx_event_t* event) {
        static_cast<Wire*>(static_cast<ngx_connection_t*>(event->data)->data)->flush();
    };
    return ngx_add_event(connection_->read, NGX_READ_EVENT, NGX_LEVEL_EVENT) == NGX_OK &&
           ngx_add_event(connection_->write, NGX_WRITE_EVENT, NGX_LEVEL_EVENT) == NGX_OK;
}

// hiredis closes the descriptor.
void Wire::shut()
{
    give_up();
    if (auto* question = std::exchange(question_, nullptr))
        ngx_resolve_name_done(question);
    if (auto* connection = std::exchange(connection_, nullptr)) {
        if (connection->read->active)
            ngx_del_event(connection->read, NGX_READ_EVENT, 0);
        if (connection->write->active)
            ngx_del_event(connection->write, NGX_WRITE_EVENT, 0);
        connection->shared = 1;
        ngx_close_connection(connection);
    }
    if (auto* context = std::exchange(context_, nullptr))
        redisFree(context);
    if (std::exchange(tls_, nullptr))
        Tls::forget_errors();
}

void Wire::fail(std::string_view reason)
{
    // which may be the context's own
    std::array<char, 160> copy;
    auto size = ngx_min(reason.size(), copy.size());
    std::copy_n(reason.begin(), size, copy.begin());
    shut();
    broken({copy.data(), size});
}

bool Wire::has_connected()
{
    if (is_connected_)
        return true;
    if (!has_socket() || (options_.tls && !has_tls()))
        return false;
    is_connected_ = true;
    opened();
    return context_;
}

bool Wire::has_tls()
{
    if (!tls_)
        tls_ = options_.tls->begin(context_, address_.identity());
    auto state = tls_ ? Tls::shake(tls_) : Tls::Handshake::failed;
    if (state == Tls::Handshake::reads && connection_->write->active)
        ngx_del_event(connection_->write, NGX_WRITE_EVENT, 0);
    if (state == Tls::Handshake::failed)
        fail(tls_ ? Tls::reason(tls_) : "TLS does not begin");
    return state == Tls::Handshake::done;
}

bool Wire::has_socket()
{
    int error = 0;
    socklen_t size = sizeof(error);
    if (getsockopt(context_->fd, SOL_SOCKET, SO_ERROR, &error, &size) == -1)
        error = ngx_errno;
    if (error) {
        u_char text[NGX_MAX_ERROR_STR];
        auto* end = ngx_strerror(error, text, sizeof(text));
        fail({reinterpret_cast<char*>(text), static_cast<std::size_t>(end - text)});
        return false;
    }
    return true;
}

ngx_uint_t Wire::level_of_loss(std::string_view reason)
{
    auto begun_at = std::exchange(begun_at_, std::nullopt);
    if (begun_at && ngx_current_msec - *begun_at >= shortest_life)
        last_reason_ = 0;
    auto hash = ngx_crc32_short(ngx::str(reason).data, reason.size());
    return hash == std::exchange(last_reason_, hash) ? NGX_LOG_INFO : NGX_LOG_ERR;
}

std::string_view Wire::place() const
{
    return options_.topology == Topology::single ? std::string_view() : place_.data();
}

// ---- what is said and heard

/// What hiredis' own formatting does, without its allocations: a quarter of what a command costs a worker.
bool Wire::format(std::span<const std::string_view> words)
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

bool Wire::write(std::span<const std::string_view> words)
{
    auto length = [this] { return static_cast<std::size_t>(text_end_ - text_); };
    if (!format(words) || redisAppendFormattedCommand(context_, text_, length()) != REDIS_OK)
        return false;
    if (!connection_->write->active) {
        ngx_post_event(connection_->write, &ngx_posted_events);
    }
    return true;
}

bool Wire::authenticate()
{
    is_greeting_ = !options_.password.empty();
    if (!is_greeting_)
        return true;
    bool is_written = options_.user.empty() ? write({"AUTH", options_.password})
                                            : write({"AUTH", options_.user, options_.password});
    wipe();
    return is_written;
}

/// Only a socket that did not take everything waits for epoll.
void Wire::flush()
{
    if (!has_connected())
        return;
    int done = 0;
    if (redisBufferWrite(context_, &done) != REDIS_OK)
        return fail(context_->errstr);
    auto* event = connection_->write;
    if (done && event->active)
        ngx_del_event(event, NGX_WRITE_EVENT, 0);
    else if (!done && !event->active)
        ngx_add_event(event, NGX_WRITE_EVENT, NGX_LEVEL_EVENT);
}

void Wire::read()
{
    if (!has_connected())
        return;
    if (redisBufferRead(context_) != REDIS_OK)
        return fail(context_->errstr);
    auto* context = context_;
    void* reply = nullptr;
    while (context == context_ && redisReaderGetReply(context->reader, &reply) == REDIS_OK && reply) {
        heard(Reply(static_cast<redisReply*>(reply)));
        freeReplyObject(reply);
        if (context == context_)
            is_greeting_ = false;
    }
    if (context == context_ && context->reader->err)
        fail(context->reader->errstr);
}

bool Wire::has_more() const
{
    return context_->reader->pos < context_->reader->len;
}

} // namespace redis
