#include "cluster.hpp"

#include "pending.hpp"

#include <charconv>

namespace redis {

namespace {

/// The slots are asked for once in so many questions, though nothing seems to have changed.
constexpr unsigned questions = 20;
constexpr ngx_msec_t shortest_delay = 10;
constexpr ngx_msec_t longest_delay = 100;
constexpr unsigned most_redirections = 5;

using Pending = Command::Pending;

std::string_view key_of(std::span<const std::string_view> words)
{
    return words[words[0].starts_with("EVAL") ? 3 : 1];
}

/// CRC-16/XMODEM of the hash tag.
std::size_t slot_of(std::string_view key)
{
    auto open = key.find('{');
    auto close = open == key.npos ? key.npos : key.find('}', open + 1);
    if (close != key.npos && close > open + 1)
        key = key.substr(open + 1, close - open - 1);
    unsigned crc = 0;
    for (unsigned char byte : key) {
        crc ^= static_cast<unsigned>(byte) << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
    }
    return crc & 0x3fff;
}

/// Takes the first word from the text.
std::string_view take_word(std::string_view& text)
{
    auto word = text.substr(0, text.find(' '));
    text.remove_prefix(ngx_min(word.size() + 1, text.size()));
    return word;
}

int to_number(std::string_view digits)
{
    int number = -1;
    std::from_chars(digits.data(), digits.data() + digits.size(), number);
    return number;
}

/// What passes while a slot is on its way, or a replica takes over. A script meets the first as an error that
/// one of its keys is not local.
bool is_passing(std::string_view error)
{
    return error.starts_with("TRYAGAIN") || error.starts_with("CLUSTERDOWN") ||
           error.find("non local key") != error.npos;
}

} // namespace

// ---- nodes

Cluster::Node::Node(const Options& options, const Address& address, Supervisor& cluster)
    : address({&address, 1}), connection(options, this->address, &cluster)
{
}

Cluster::Cluster(const Options& options) : Guide(options)
{
    ngx_queue_init(&delayed_);
}

void Cluster::start(ngx_log_t* log)
{
    timer_.set_log(log);
    Guide::start(log);
}

void Cluster::stop()
{
    Guide::stop();
    timer_.stop();
    while (!ngx_queue_empty(&delayed_))
        Pending::take_first(&delayed_)->fail();
    for (auto*& node : nodes_) {
        if (node) {
            node->~Node();
            ngx_free(std::exchange(node, nullptr));
        }
    }
    node_of_ = {};
    node_count_ = 0;
}

/// The number of the node there, which may be new; 0 where there is no room for it.
std::uint8_t Cluster::find_node(std::string_view host, int port)
{
    Address wanted(host.empty() ? this->address().host() : host, port);
    auto* begin = node_addresses_.data();
    auto* end = begin + node_count_;
    auto number = static_cast<std::size_t>(std::find(begin, end, wanted) - begin);
    if (number == node_count_)
        number = static_cast<std::size_t>(std::find(begin, end, Address()) - begin);
    if (number == most_nodes)
        return 0;
    node_count_ = ngx_max(node_count_, number + 1);
    node_addresses_[number] = wanted;
    return static_cast<std::uint8_t>(number + 1);
}

/// Connected when it is needed; null where nobody is known to have the slot, or there is no memory.
Cluster::Node* Cluster::node_numbered(std::uint8_t number)
{
    if (number == 0)
        return nullptr;
    auto*& node = nodes_[number - 1u];
    if (!node) {
        auto* memory = ngx_alloc(sizeof(Node), log());
        if (!memory)
            return nullptr;
        node = new (memory) Node(options(), node_addresses_[number - 1u], *this);
        node->address.set_resolver(resolver());
    }
    node->connection.start(log());
    return node;
}

// ---- the map of slots

bool Cluster::begin()
{
    is_stale_ = true;
    return authenticate();
}

bool Cluster::ask()
{
    if (countdown_-- == 0 || is_stale_) {
        countdown_ = questions;
        is_stale_ = false;
        if (!write({"CLUSTER", "SLOTS"}))
            return false;
    }
    return write({"CLUSTER", "INFO"});
}

void Cluster::heard(Reply reply)
{
    if (reply.is_error())
        return fail(reason(reply));
    is_alive();
    if (reply.size() > 0)
        return learn_slots(reply);
    if (reply.text().starts_with("cluster_state:ok"))
        return learn(address());
    if (reply.text().starts_with("cluster_state"))
        leave("its cluster_state is not ok");
}

/// Who listens there does not hear the others any longer.
void Cluster::leave(std::string_view reason)
{
    fail(reason);
    tell_lost(reason);
}

void Cluster::lost_all(std::string_view reason)
{
    Guide::lost_all(reason);
    tell_lost(reason);
}

void Cluster::learn_slots(Reply reply)
{
    std::array<bool, most_nodes + 1> has_slots{};
    node_of_ = {};
    guides().clear();
    for (const auto& address : options().addresses)
        guides().add(address);
    for (std::size_t i = 0; i < reply.size(); i++)
        has_slots[learn_range(reply[i])] = true;
    for (std::size_t i = 0; i < node_count_; i++)
        if (!has_slots[i + 1])
            forget(i);
    // of those that had no number there is room for some now
    is_stale_ = is_stale_ || has_slots[0];
    send_delayed(true);
}

/// Another may have its number then. Where something still waits for it, it goes with a later map.
void Cluster::forget(std::size_t index)
{
    auto*& node = nodes_[index];
    if (node && !node->connection.is_idle())
        return;
    if (node) {
        node->connection.stop("it has no slots any longer");
        node->~Node();
        ngx_free(std::exchange(node, nullptr));
    }
    node_addresses_[index] = {};
}

/// A range is its first and last slot, and nodes, the master first, each with its host and port. Answers the
/// number of the master.
std::uint8_t Cluster::learn_range(Reply range)
{
    auto port = static_cast<int>(range[2][1].integer());
    auto number = find_node(range[2][0].text(), port);
    auto first = static_cast<std::size_t>(range[0].integer());
    auto last = static_cast<std::size_t>(range[1].integer());
    for (auto slot = first; slot <= last && slot < slots; slot++)
        node_of_[slot] = number;
    for (std::size_t i = 2; i < range.size(); i++)
        if (auto host = range[i][0].text(); !host.empty())
            guides().add({host, static_cast<int>(range[i][1].integer())});
    return number;
}

// ---- commands

bool Cluster::send(Command& command)
{
    auto* pending = Pending::make(&command, options().timeout, log());
    if (!pending)
        return false;
    if (forward(pending))
        return true;
    pending->release();
    return false;
}

/// Where it is false the command is still the caller's.
bool Cluster::forward(Pending* pending)
{
    auto number = node_of_[slot_of(key_of(pending->words()))];
    if (number == 0) {
        delay(pending);
        return true;
    }
    auto* node = node_numbered(number);
    return node && node->connection.accept(pending);
}

bool Cluster::redirect(Pending* pending, std::string_view error)
{
    bool is_elsewhere = error.starts_with("MOVED ") || error.starts_with("ASK ");
    if (is_elsewhere && pending->redirections++ < most_redirections)
        return follow(pending, error);
    if (!is_elsewhere && !is_passing(error))
        return false;
    is_stale_ = true;
    delay(pending);
    return true;
}

/// `MOVED slot host:port`, or ASK.
bool Cluster::follow(Pending* pending, std::string_view error)
{
    bool is_moved = take_word(error) == "MOVED";
    auto slot = static_cast<std::size_t>(to_number(take_word(error)));
    auto colon = error.rfind(':');
    if (slot >= slots || colon == error.npos)
        return false;
    auto number = find_node(error.substr(0, colon), to_number(error.substr(colon + 1)));
    pending->is_asking = !is_moved;
    if (is_moved) {
        node_of_[slot] = number;
        is_stale_ = true;
    }
    auto* node = node_numbered(number);
    if (!node || !node->connection.accept(pending))
        pending->fail();
    return true;
}

/// Sends it again in a while, each time a longer one.
void Cluster::delay(Pending* pending)
{
    auto delay = ngx_min(shortest_delay << ngx_min(pending->delays++, 8u), longest_delay);
    pending->redirections = 0;
    pending->is_asking = false;
    pending->due = ngx_current_msec + delay;
    pending->join(&delayed_);
    if (!timer_.is_set())
        timer_.start(shortest_delay);
}

void Cluster::send_delayed(bool is_map_new)
{
    ngx_queue_t all;
    ngx_queue_init(&all);
    if (!ngx_queue_empty(&delayed_)) {
        ngx_queue_add(&all, &delayed_);
        ngx_queue_init(&delayed_);
    }
    while (!ngx_queue_empty(&all)) {
        auto* pending = Pending::take_first(&all);
        bool is_over = !pending->command || pending->is_late();
        if (!is_over && !is_map_new && !Pending::is_due(pending->due))
            pending->join(&delayed_);
        else if (is_over || !forward(pending))
            pending->fail();
    }
    if (!ngx_queue_empty(&delayed_) && !timer_.is_set())
        timer_.start(shortest_delay);
}

} // namespace redis
