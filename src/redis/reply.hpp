#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

struct redisReply;

namespace redis {

/// What Redis answered. Every part may be asked for anything: what is not there or of another type is an
/// empty text, 0 or nil. The texts are there until the coroutine that was given the reply waits again.
class Reply {
public:
    Reply() = default;
    explicit Reply(const redisReply* reply) : reply_(reply) {}

    bool is_nil() const;
    bool is_error() const;
    /// A string, a status or an error.
    std::string_view text() const;
    /// The first word of an error, such as WRONGPASS. The others may be what was sent: a password.
    std::string_view error_word() const;
    /// An integer, or a string that is one.
    std::int64_t integer() const;
    /// Elements of an array.
    std::size_t size() const;
    Reply operator[](std::size_t index) const;

private:
    const redisReply* reply_ = nullptr;
};

/// Why there is no reply.
enum class Failure {
    /// Redis is away, late, or cannot serve now: trying again helps.
    unavailable,
    /// Redis refuses the command, whatever the time (-NOPERM, -WRONGTYPE): a fault of the set-up or of ours.
    rejected
};

/// What an error reply means to whoever asked, by its first word.
Failure classify(std::string_view error);

} // namespace redis
