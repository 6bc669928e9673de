#include "uses.hpp"

#include "record.hpp"
#include "redis/script.hpp"
#include "store.hpp"

#include <array>
#include <charconv>

namespace store {

namespace {

// KEYS: the token. ARGV: when it was used. Makes no record that is not there, and does not go back in time.
const redis::Script script{R"lua(
local known = redis.call('HMGET', KEYS[1], 'account_id', 'last_used_at')
if not known[1] or known[2] and tonumber(known[2]) >= tonumber(ARGV[1]) then return 0 end
return redis.call('HSET', KEYS[1], 'last_used_at', ARGV[1])
)lua"};

/// A write that nobody waits for; it ends itself.
class Touch final : public redis::Command {
public:
    static void send(Store& store, std::string_view token_id, api_token::Seconds used_at, ngx_log_t* log)
    {
        auto* memory = static_cast<char*>(ngx_alloc(sizeof(Touch) + token_key_capacity(store.prefix()), log));
        if (!memory)
            return;
        auto* key = memory + sizeof(Touch);
        auto* end = write_token_key(key, store.prefix(), token_id);
        auto* touch = new (memory) Touch(store, {key, static_cast<std::size_t>(end - key)}, used_at);
        if (!store.server().send(*touch))
            touch->end();
    }

private:
    Touch(Store& store, std::string_view key, api_token::Seconds used_at) : store_(store)
    {
        auto* end = std::to_chars(digits_.data(), digits_.data() + digits_.size(), used_at).ptr;
        words_ = {"EVALSHA",
                  script.sha1(),
                  "1",
                  key,
                  {digits_.data(), static_cast<std::size_t>(end - digits_.data())}};
    }

    std::span<const std::string_view> words() const override { return words_; }
    void failed(redis::Failure) override { end(); }
    void answered(redis::Reply reply) override
    {
        if (words_[0] != "EVALSHA" || !reply.text().starts_with("NOSCRIPT"))
            return end();
        words_[0] = "EVAL";
        words_[1] = script.text();
        if (!store_.server().send(*this))
            end();
    }
    void end()
    {
        this->~Touch();
        ngx_free(this);
    }

    Store& store_;
    std::array<char, 20> digits_;
    std::array<std::string_view, 5> words_;
};

/// How often a worker that has uses to write looks whether it is to end, in ms: it writes them then, and
/// nginx waits for that.
constexpr time_t look_interval = 500;

} // namespace

struct Uses::Use {
    ngx_queue_t link;
    ngx_queue_t link_of_digest;
    api_token::Sha256 digest;
    api_token::Pfid token_id;
    api_token::Seconds used_at;
    time_t due;

    static Use* of(ngx_queue_t* link) { return ngx_queue_data(link, Use, link); }
};

Uses::Uses(Store& store) : store_(store)
{
    ngx_queue_init(&waiting_);
    for (auto& bucket : by_digest_) {
        ngx_queue_init(&bucket);
    }
}

ngx_queue_t* Uses::bucket_of(const api_token::Sha256& digest)
{
    return &by_digest_[(digest[0] << 8 | digest[1]) % std::size(by_digest_)];
}

Uses::Use* Uses::find(const api_token::Sha256& digest)
{
    auto* bucket = bucket_of(digest);
    for (auto* link = ngx_queue_head(bucket); link != bucket; link = ngx_queue_next(link)) {
        auto* use = ngx_queue_data(link, Use, link_of_digest);
        if (use->digest == digest)
            return use;
    }
    return nullptr;
}

void Uses::start(ngx_log_t* log)
{
    log_ = log;
    timer_.set_log(log);
}

void Uses::stop()
{
    timer_.stop();
    while (!ngx_queue_empty(&waiting_))
        write_first();
}

void Uses::write_later(const api_token::Sha256& digest, const api_token::Identity& identity, time_t delay)
{
    if (auto* waiting = find(digest); waiting && waiting->due <= ngx_time() + delay) {
        waiting->used_at = ngx_time();
        return;
    }
    auto* use = static_cast<Use*>(ngx_alloc(sizeof(Use), log_));
    if (!use)
        return;
    use->digest = digest;
    use->token_id = identity.token_id;
    use->used_at = ngx_time();
    use->due = ngx_time() + delay;
    // mostly the last, since most delays are the same
    auto* before = ngx_queue_last(&waiting_);
    while (before != ngx_queue_sentinel(&waiting_) && Use::of(before)->due > use->due)
        before = ngx_queue_prev(before);
    ngx_queue_insert_after(before, &use->link);
    ngx_queue_insert_head(bucket_of(digest), &use->link_of_digest);
    if (ngx_queue_head(&waiting_) == &use->link)
        arm();
}

void Uses::arm()
{
    auto left = ngx_max(Use::of(ngx_queue_head(&waiting_))->due - ngx_time(), 0);
    timer_.start(static_cast<ngx_msec_t>(ngx_min(left * 1000, look_interval)));
}

void Uses::write_first()
{
    auto* use = Use::of(ngx_queue_head(&waiting_));
    ngx_queue_remove(&use->link);
    ngx_queue_remove(&use->link_of_digest);
    auto known = store_.cache() ? store_.cache()->take_use(use->digest) : 0;
    Touch::send(store_, use->token_id.view(), ngx_max(known, use->used_at), log_);
    ngx_free(use);
}

void Uses::flush()
{
    while (!ngx_queue_empty(&waiting_) &&
           (ngx_exiting || Use::of(ngx_queue_head(&waiting_))->due <= ngx_time()))
        write_first();
    if (!ngx_queue_empty(&waiting_))
        arm();
}

} // namespace store
