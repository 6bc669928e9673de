#pragma once

#include "connection.hpp"
#include "guide.hpp"

#include <optional>

namespace redis {

/// A cluster: each command goes to the node that has its key's slot. One of the nodes is the guide, which
/// tells where the slots are, and that it is not cut off from the others: listeners are there, too.
class Cluster final : public Server, public Guide, private Supervisor {
public:
    explicit Cluster(const Options& options);
    ~Cluster() { stop(); }

    void start(ngx_log_t* log) override;
    void stop() override;
    Server* server() override { return this; }
    bool send(Command& command) override;

private:
    static constexpr std::size_t slots = 16384;
    static constexpr std::size_t most_nodes = 255;

    struct Node {
        Node(const Options& options, const Address& address, Supervisor& cluster);

        Addresses address;
        Connection connection;
    };

    // Guide
    bool begin() override;
    bool ask() override;
    void heard(Reply reply) override;
    void lost_all(std::string_view reason) override;
    void leave(std::string_view reason);
    void learn_slots(Reply reply);
    std::uint8_t learn_range(Reply range);
    void forget(std::size_t index);

    // Supervisor
    bool redirect(Command::Pending* pending, std::string_view error) override;
    void lost_node() override { is_stale_ = true; }

    std::uint8_t find_node(std::string_view host, int port);
    Node* node_numbered(std::uint8_t number);
    bool forward(Command::Pending* pending);
    bool follow(Command::Pending* pending, std::string_view error);
    void delay(Command::Pending* pending);
    void send_due() { send_delayed(false); }
    void send_delayed(bool is_map_new);

    /// By slot, counted from 1; 0 where none is known.
    std::array<std::uint8_t, slots> node_of_{};
    /// By number; null where it is not needed.
    std::array<Node*, most_nodes> nodes_{};
    std::array<Address, most_nodes> node_addresses_;
    std::size_t node_count_ = 0;
    bool is_stale_ = true;
    /// Until the slots are asked for anyway, in questions.
    unsigned countdown_ = 0;
    /// Those that are sent again in a while.
    ngx_queue_t delayed_;
    ngx::Timer<Cluster, &Cluster::send_due> timer_{this, false};
};

} // namespace redis
