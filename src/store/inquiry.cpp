#include "inquiry.hpp"

#include "record.hpp"
#include "redis/connection.hpp"
#include "store.hpp"

#include <algorithm>
#include <array>

namespace store {

namespace {

/// `record` holds account_id, status, expires_at, last_used_at, token_scope, environment_id.
Standing standing_of(redis::Reply record, const api_token::Identity& identity)
{
    auto status = api_token::parse_stored_status(record[1].text());
    auto environment = identity.has_environment ? identity.environment_id.view() : std::string_view();
    bool is_the_same = record[0].text() == identity.account_id.view() &&
                       record[4].text() == name(identity.scope) && record[5].text() == environment;
    if (!status || !is_the_same)
        return Standing::unknown;
    switch (*status) {
    case api_token::StoredStatus::revoked:
        return Standing::revoked;
    case api_token::StoredStatus::suspended:
        return record[2].integer() <= ngx_time() ? Standing::expired : Standing::suspended;
    case api_token::StoredStatus::active:
        break;
    }
    return record[2].integer() <= ngx_time() ? Standing::expired : Standing::active;
}

} // namespace

/// A question under way. It is nobody's own: it outlives each request that waits for it, and ends with its
/// answer.
class Inquiry final : public redis::Command {
public:
    static Inquiry* find(ngx_queue_t* bucket, std::string_view token_id);
    /// Null when Redis is away, or there is no memory.
    static Inquiry* send(Store& store, ngx_queue_t* bucket, const api_token::Identity& identity,
                         ngx_log_t* log);

    /// Nobody joins from now on.
    void close() { link_.leave(); }
    /// Whether it is as good as one that begins now. A worker may not hear of changes itself: the cache
    /// tells.
    bool is_new(Store& store) const
    {
        return asked_.is_heard && asked_ == store.cache()->now(store.channel(), token_id_.view());
    }
    void add(Ask& ask) { ask.link_.join(&asking_); }

private:
    Inquiry(const api_token::Identity& identity, std::string_view key)
        : token_id_(identity.token_id), words_{"HMGET",       key,
                                               "account_id",  "status",
                                               "expires_at",  "last_used_at",
                                               "token_scope", "environment_id"}
    {
        ngx_queue_init(&asking_);
    }

    std::span<const std::string_view> words() const override { return words_; }
    void answered(redis::Reply reply) override;
    void failed(redis::Failure failure) override;
    /// The first that waits, who waits no longer; null when nobody does.
    Ask* take_first();
    void end();

    ngx::Link<Inquiry> link_{this};
    ngx_queue_t asking_;
    api_token::Pfid token_id_;
    Moment asked_{};
    std::array<std::string_view, 8> words_;
};

Inquiry* Inquiry::find(ngx_queue_t* bucket, std::string_view token_id)
{
    for (auto* link = ngx_queue_head(bucket); link != ngx_queue_sentinel(bucket);
         link = ngx_queue_next(link)) {
        auto* inquiry = ngx::Link<Inquiry>::owner_of(link);
        if (inquiry->token_id_.view() == token_id)
            return inquiry;
    }
    return nullptr;
}

Inquiry* Inquiry::send(Store& store, ngx_queue_t* bucket, const api_token::Identity& identity, ngx_log_t* log)
{
    auto* memory = static_cast<char*>(ngx_alloc(sizeof(Inquiry) + token_key_capacity(store.prefix()), log));
    if (!memory)
        return nullptr;
    auto id = identity.token_id.view();
    auto* key = memory + sizeof(Inquiry);
    auto* end = write_token_key(key, store.prefix(), id);
    auto* inquiry = new (memory) Inquiry(identity, {key, static_cast<std::size_t>(end - key)});
    if (auto* cache = store.cache())
        inquiry->asked_ = cache->now(store.channel(), id);
    inquiry->link_.join(bucket);
    if (store.server().send(*inquiry))
        return inquiry;
    inquiry->end();
    return nullptr;
}

Ask* Inquiry::take_first()
{
    if (ngx_queue_empty(&asking_))
        return nullptr;
    auto* ask = ngx::Link<Ask>::owner_of(ngx_queue_head(&asking_));
    ask->link_.leave();
    return ask;
}

void Inquiry::answered(redis::Reply reply)
{
    if (reply.is_error())
        return failed(redis::classify(reply.text()));
    if (reply.size() != words_.size() - 2) // a value for each field
        return failed(redis::Failure::rejected);
    close();
    while (auto* ask = take_first()) {
        ask->outcome_ = Answer{standing_of(reply, ask->identity_), reply[3].integer(), asked_};
        ask->request_.resume(ask->waiting_);
    }
    end();
}

void Inquiry::failed(redis::Failure failure)
{
    close();
    while (auto* ask = take_first()) {
        ask->outcome_ = failure;
        ask->request_.resume(ask->waiting_);
    }
    end();
}

void Inquiry::end()
{
    this->~Inquiry();
    ngx_free(this);
}

Inquiries::Inquiries()
{
    for (auto& bucket : buckets_) {
        ngx_queue_init(&bucket);
    }
}

void Inquiries::close(std::string_view token_id)
{
    if (auto* inquiry = Inquiry::find(bucket_of(token_id), token_id))
        inquiry->close();
}

ngx_queue_t* Inquiries::bucket_of(std::string_view token_id)
{
    return &buckets_[ngx_murmur_hash2(ngx::str(token_id).data, token_id.size()) % std::size(buckets_)];
}

bool Ask::await_ready()
{
    auto id = identity_.token_id.view();
    auto* bucket = store_.inquiries().bucket_of(id);
    auto* inquiry = Inquiry::find(bucket, id);
    if (inquiry && !inquiry->is_new(store_)) {
        inquiry->close();
        inquiry = nullptr;
    }
    if (!inquiry)
        inquiry = Inquiry::send(store_, bucket, identity_, request_.r()->connection->log);
    if (!inquiry)
        return true;
    inquiry->add(*this);
    return false;
}

} // namespace store
