#pragma once

#include "command.hpp"
#include "ngx/request.hpp"
#include "token/result.hpp"

#include <array>
#include <coroutine>
#include <string>

namespace redis {

/// A Lua script that Redis runs as one atomic step, known to it by its SHA-1.
class Script {
public:
    /// The parts, one behind the other, are the text.
    explicit Script(std::initializer_list<std::string_view> parts);

    std::string_view text() const { return text_; }
    std::string_view sha1() const { return {sha1_.data(), sha1_.size()}; }

private:
    std::string text_;
    std::array<char, 40> sha1_;
};

/// A run of a script that a coroutine awaits: EVALSHA, and EVAL where Redis does not know the script. The
/// keys come before the arguments; their texts live as long as the request, and one with a null pointer, for
/// which there was no memory, makes the run unavailable.
class Eval : public Command {
public:
    Eval(ngx::Request& request, Server& server, const Script& script);

    Eval& key(std::string_view text);
    Eval& argument(std::string_view text);
    Eval& argument(std::int64_t number);

    bool await_ready();
    void await_suspend(std::coroutine_handle<> waiting) { waiting_ = waiting; }
    /// The reply is there until the coroutine waits again. It is no error.
    api_token::Result<Reply, Failure> await_resume() const { return outcome_; }
    Replication* replication() const { return replication_; }

private:
    std::span<const std::string_view> words() const override { return {words_.data(), count_}; }
    void answered(Reply reply) override;
    void failed(Failure failure) override;
    void resume(api_token::Result<Reply, Failure> outcome);

    ngx::Request& request_;
    Server& server_;
    const Script& script_;
    std::coroutine_handle<> waiting_;
    api_token::Result<Reply, Failure> outcome_ = Failure::unavailable;
    std::array<std::string_view, 32> words_;
    std::size_t count_ = 3;
    int keys_ = 0;
    /// A text found no memory.
    bool incomplete_ = false;
    std::array<char, 4> key_count_;
};

} // namespace redis
