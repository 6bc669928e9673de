#include "script.hpp"

extern "C" {
#include <ngx_sha1.h>
}

#include <charconv>

namespace redis {

namespace {

constexpr std::size_t longest_number = 20;

} // namespace

Script::Script(std::initializer_list<std::string_view> parts)
{
    for (auto part : parts)
        text_ += part;
    ngx_sha1_t context;
    u_char digest[20];
    ngx_sha1_init(&context);
    ngx_sha1_update(&context, text_.data(), text_.size());
    ngx_sha1_final(digest, &context);
    ngx_hex_dump(reinterpret_cast<u_char*>(sha1_.data()), digest, sizeof(digest));
}

Eval::Eval(ngx::Request& request, Server& server, const Script& script)
    : request_(request), server_(server), script_(script)
{
}

Eval& Eval::key(std::string_view text)
{
    keys_++;
    return argument(text);
}

Eval& Eval::argument(std::string_view text)
{
    incomplete_ |= !text.data();
    words_[count_++] = text;
    return *this;
}

Eval& Eval::argument(std::int64_t number)
{
    auto memory = ngx::allocate(request_.pool(), longest_number);
    if (memory.empty())
        return argument(std::string_view());
    auto* end = std::to_chars(memory.data(), memory.data() + memory.size(), number).ptr;
    return argument({memory.data(), static_cast<std::size_t>(end - memory.data())});
}

bool Eval::await_ready()
{
    auto* end = std::to_chars(key_count_.data(), key_count_.data() + key_count_.size(), keys_).ptr;
    words_[0] = "EVALSHA";
    words_[1] = script_.sha1();
    words_[2] = {key_count_.data(), static_cast<std::size_t>(end - key_count_.data())};
    return incomplete_ || !server_.send(*this);
}

void Eval::answered(Reply reply)
{
    if (!reply.is_error())
        return resume(reply);
    if (words_[0] == "EVALSHA" && reply.text().starts_with("NOSCRIPT")) {
        words_[0] = "EVAL";
        words_[1] = script_.text();
        is_repeated_ = true;
        return server_.send(*this) ? void() : resume(Failure::unavailable);
    }
    resume(classify(reply.text()));
}

void Eval::failed(Failure failure)
{
    resume(failure);
}

void Eval::resume(api_token::Result<Reply, Failure> outcome)
{
    outcome_ = outcome;
    request_.resume(waiting_);
}

} // namespace redis
