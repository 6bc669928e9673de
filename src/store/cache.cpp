#include "cache.hpp"

#include "channel.hpp"

#include <algorithm>
#include <atomic>

namespace store {

namespace {

constexpr std::uint32_t none = 0xffffffff;
constexpr std::size_t generations = 1024;
constexpr time_t longest_refusal = 5;

std::uint32_t hash(std::string_view bytes)
{
    std::uint32_t value;
    std::memcpy(&value, bytes.data(), sizeof(value));
    return value;
}

/// Of the random part of a token's id.
std::uint32_t hash_of_id(std::string_view id)
{
    return ngx_murmur_hash2(ngx::str(id.substr(16)).data, id.size() - 16);
}

} // namespace

struct Cache::Entry {
    api_token::Sha256 digest;
    api_token::Identity identity;
    api_token::Seconds asked_at;
    api_token::Seconds touched_at;
    api_token::Seconds used_at;
    /// Until then its last use is somebody's to write; or which use was written.
    api_token::Seconds use_claimed_until;
    std::uint32_t epoch;
    std::uint32_t channel;
    Standing standing;
    bool is_linked;
    std::uint32_t next_of_digest;
    std::uint32_t next_of_id;
    std::uint32_t newer;
    std::uint32_t older;
};

/// Indexes instead of pointers, since each nginx may map it elsewhere.
struct Cache::Shared {
    /// While somebody changes lists. Who finds it so behind the lock finds what a worker left that was
    /// killed.
    std::atomic<bool> is_changing;
    std::uint32_t capacity;
    std::uint32_t mask;
    /// Entries never used yet are those from here on.
    std::uint32_t fresh;
    std::uint32_t free;
    std::uint32_t newest;
    std::uint32_t oldest;
    std::uint32_t count;
    std::uint64_t evictions;
    std::uint32_t generation[generations];
    Channel channels[most_channels];

    /// Null where another store has it by now.
    Channel* channel(std::uint32_t number)
    {
        auto& found = channels[number % most_channels];
        return found.number == number ? &found : nullptr;
    }
    Entry* entries() { return reinterpret_cast<Entry*>(this + 1); }
    std::uint32_t* by_digest() { return reinterpret_cast<std::uint32_t*>(entries() + capacity); }
    std::uint32_t* by_id() { return by_digest() + mask + 1; }
    std::uint32_t index_of(const Entry& entry) { return static_cast<std::uint32_t>(&entry - entries()); }
    /// Until the lock is released.
    void begin_change() { is_changing.exchange(true); }
    /// Nothing is known any longer, nor will be what is asked at the moment.
    void clear()
    {
        fresh = count = 0;
        free = newest = oldest = none;
        std::fill_n(by_digest(), 2 * (std::size_t(mask) + 1), none);
        for (auto& channel : channels)
            channel.epoch++;
    }

    static std::size_t size(std::size_t capacity, std::size_t buckets)
    {
        return sizeof(Shared) + capacity * sizeof(Entry) + 2 * buckets * sizeof(std::uint32_t);
    }
};

class Cache::Lock {
public:
    explicit Lock(ngx_shm_zone_t* zone) : pool_(reinterpret_cast<ngx_slab_pool_t*>(zone->shm.addr))
    {
        ngx_shmtx_lock(&pool_->mutex);
        if (shared().is_changing)
            shared().clear();
    }
    ~Lock()
    {
        if (shared().is_changing)
            shared().is_changing = false;
        ngx_shmtx_unlock(&pool_->mutex);
    }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

private:
    Shared& shared() { return *static_cast<Shared*>(pool_->data); }

    ngx_slab_pool_t* pool_;
};

// ---- the memory

ngx_int_t Cache::attach(void* previous)
{
    auto* pool = reinterpret_cast<ngx_slab_pool_t*>(zone_->shm.addr);
    if (previous || zone_->shm.exists) {
        shared_ = static_cast<Shared*>(pool->data);
        return NGX_OK;
    }
    pool->log_nomem = 0;
    std::size_t room = static_cast<std::size_t>(pool->end - pool->start);
    std::size_t capacity = room / (sizeof(Entry) + 2 * sizeof(std::uint32_t));
    std::size_t buckets = 1;
    while (buckets * 2 <= capacity)
        buckets *= 2;
    void* memory = nullptr;
    while (capacity > 0 && !(memory = ngx_slab_calloc(pool, Shared::size(capacity, buckets))))
        capacity -= capacity / 64 + 1;
    if (!memory)
        return NGX_ERROR;
    shared_ = static_cast<Shared*>(memory);
    shared_->capacity = static_cast<std::uint32_t>(capacity);
    shared_->mask = static_cast<std::uint32_t>(buckets - 1);
    shared_->free = shared_->newest = shared_->oldest = none;
    std::fill_n(shared_->by_digest(), 2 * buckets, none);
    for (std::uint32_t i = 0; i < most_channels; i++)
        shared_->channels[i].number = i;
    pool->data = shared_;
    return NGX_OK;
}

Cache::Entry* Cache::find_entry(const api_token::Sha256& digest)
{
    auto* entries = shared_->entries();
    auto index = shared_->by_digest()[hash(api_token::view(digest)) & shared_->mask];
    while (index != none && entries[index].digest != digest)
        index = entries[index].next_of_digest;
    return index == none ? nullptr : &entries[index];
}

/// An entry that is in no list: a fresh one, a free one, or the least recently used.
Cache::Entry* Cache::take_entry()
{
    auto* entries = shared_->entries();
    if (shared_->free != none) {
        auto& entry = entries[shared_->free];
        shared_->free = entry.older;
        return &entry;
    }
    if (shared_->fresh < shared_->capacity)
        return &entries[shared_->fresh++];
    auto& entry = entries[shared_->oldest];
    unlink(entry);
    shared_->evictions++;
    return &entry;
}

void Cache::unlink(Entry& entry)
{
    shared_->begin_change();
    shared_->count--;
    auto* entries = shared_->entries();
    auto index = shared_->index_of(entry);
    auto unchain = [&](std::uint32_t* link, std::uint32_t Entry::*next) {
        while (*link != index && *link != none)
            link = &(entries[*link].*next);
        *link = entry.*next;
    };
    unchain(&shared_->by_digest()[hash(api_token::view(entry.digest)) & shared_->mask],
            &Entry::next_of_digest);
    unchain(&shared_->by_id()[hash_of_id(entry.identity.id().view()) & shared_->mask], &Entry::next_of_id);
    (entry.newer == none ? shared_->newest : entries[entry.newer].older) = entry.older;
    (entry.older == none ? shared_->oldest : entries[entry.older].newer) = entry.newer;
}

/// Makes it the most recently used. Once a second is enough: workers that only read do not take the memory
/// from one another.
void Cache::touch(Entry& entry)
{
    if (entry.touched_at == ngx_time())
        return;
    entry.touched_at = ngx_time();
    auto* entries = shared_->entries();
    auto index = shared_->index_of(entry);
    if (shared_->newest == index)
        return;
    shared_->begin_change();
    if (entry.is_linked) {
        entries[entry.newer].older = entry.older;
        (entry.older == none ? shared_->oldest : entries[entry.older].newer) = entry.newer;
    }
    entry.is_linked = true;
    entry.newer = none;
    entry.older = shared_->newest;
    (entry.older == none ? shared_->oldest : entries[entry.older].newer) = index;
    shared_->newest = index;
}

// ---- what is known

bool Cache::is_current(const Entry& entry, std::uint32_t channel) const
{
    if (entry.identity.is_admin())
        return true;
    auto valid = entry.standing == Standing::active ? valid_ : ngx_min(valid_, longest_refusal);
    const auto* heard = shared_->channel(channel);
    return heard && entry.channel == channel && entry.epoch == heard->epoch && heard->is_heard() &&
           is_younger(entry.asked_at, valid);
}

std::optional<Known> Cache::find(const api_token::Sha256& digest, std::uint32_t channel, time_t use_interval,
                                 api_token::Identity& identity)
{
    Lock lock(zone_);
    auto* entry = find_entry(digest);
    if (!entry)
        return std::nullopt;
    touch(*entry);
    identity = entry->identity;
    Known known{entry->standing, is_current(*entry, channel), entry->asked_at, false};
    if (known.is_current && known.standing == Standing::active) {
        if (use_interval && entry->used_at != ngx_time())
            entry->used_at = ngx_time();
        known.is_use_due = use_interval && entry->use_claimed_until < entry->used_at;
    }
    return known;
}

Moment Cache::now(std::uint32_t channel, std::string_view token_id)
{
    Lock lock(zone_);
    const auto* heard = shared_->channel(channel);
    if (!heard)
        return {};
    return {channel, heard->epoch, shared_->generation[hash_of_id(token_id) % generations],
            heard->is_heard()};
}

bool Cache::remember(const api_token::Sha256& digest, std::uint32_t channel,
                     const api_token::Identity& identity, Standing standing, const Moment& asked)
{
    Lock lock(zone_);
    auto* entry = find_entry(digest);
    const auto* heard = shared_->channel(channel);
    auto id = identity.id().view();
    bool is_news =
        !identity.is_admin() &&
        (!heard || !asked.is_heard || asked.channel != channel || heard->epoch != asked.epoch ||
         !heard->is_heard() || shared_->generation[hash_of_id(id) % generations] != asked.generation);
    if (is_news)
        return false;
    if (!entry) {
        shared_->begin_change();
        entry = take_entry();
        shared_->count++;
        entry->digest = digest;
        entry->identity = identity;
        entry->touched_at = entry->used_at = entry->use_claimed_until = 0;
        entry->is_linked = false;
        auto index = shared_->index_of(*entry);
        entry->next_of_digest =
            std::exchange(shared_->by_digest()[hash(api_token::view(digest)) & shared_->mask], index);
        entry->next_of_id = std::exchange(shared_->by_id()[hash_of_id(id) & shared_->mask], index);
    }
    entry->standing = standing;
    entry->asked_at = ngx_time();
    entry->epoch = asked.epoch;
    entry->channel = channel;
    touch(*entry);
    return true;
}

void Cache::forget(std::string_view token_id)
{
    Lock lock(zone_);
    auto* entries = shared_->entries();
    shared_->generation[hash_of_id(token_id) % generations]++;
    auto index = shared_->by_id()[hash_of_id(token_id) & shared_->mask];
    while (index != none) {
        auto& entry = entries[index];
        index = entry.next_of_id;
        if (entry.identity.id().view() != token_id)
            continue;
        unlink(entry);
        entry.older = std::exchange(shared_->free, shared_->index_of(entry));
    }
}

std::optional<api_token::Seconds> Cache::claim_use(const api_token::Sha256& digest, time_t use_interval)
{
    Lock lock(zone_);
    auto* entry = find_entry(digest);
    if (!entry || entry->use_claimed_until >= ngx_time())
        return std::nullopt;
    return std::exchange(entry->use_claimed_until, ngx_time() + use_interval + 2);
}

api_token::Seconds Cache::take_use(const api_token::Sha256& digest)
{
    Lock lock(zone_);
    auto* entry = find_entry(digest);
    if (!entry)
        return 0;
    return entry->use_claimed_until = entry->used_at;
}

Cache::Size Cache::size()
{
    Lock lock(zone_);
    return {shared_->count, shared_->evictions};
}

// ---- who listens

std::optional<std::uint32_t> Cache::channel_of(std::string_view store_name)
{
    auto name = api_token::sha256(store_name);
    if (!name)
        return std::nullopt;
    Lock lock(zone_);
    auto* begin = shared_->channels;
    auto* end = begin + most_channels;
    auto* found = std::find_if(begin, end, [&](const auto& channel) { return channel.name == *name; });
    if (found == end) {
        found = std::find_if(begin, end, [](const auto& channel) { return channel.is_unnamed(); });
        if (found == end)
            found = std::find_if(begin, end, [](const auto& channel) { return channel.is_free(); });
        if (found == end)
            return std::nullopt;
        found->take_over(*name);
    }
    found->named_at = ngx_time();
    return found->number;
}

void Cache::start_listening(std::uint32_t number)
{
    Lock lock(zone_);
    if (auto* channel = shared_->channel(number))
        channel->join();
}

void Cache::heard(std::uint32_t number)
{
    Lock lock(zone_);
    auto* channel = shared_->channel(number);
    if (!channel)
        return;
    // there may have been no place before
    if (auto* listener = channel->listener_of(ngx_pid))
        listener->heard_at = ngx_current_msec;
    else
        channel->join();
}

void Cache::stop_listening(std::uint32_t number, bool is_orderly)
{
    Lock lock(zone_);
    auto* channel = shared_->channel(number);
    auto* listener = channel ? channel->listener_of(ngx_pid) : nullptr;
    if (!listener)
        return;
    channel->epoch += is_orderly ? 0 : 1;
    listener->process = 0;
}

bool Cache::is_heard(std::uint32_t number)
{
    Lock lock(zone_);
    const auto* channel = shared_->channel(number);
    return channel && channel->is_heard();
}

bool Cache::is_first_listener(std::uint32_t number)
{
    Lock lock(zone_);
    auto* channel = shared_->channel(number);
    if (!channel)
        return false;
    auto* first = std::find_if(std::begin(channel->listeners), std::end(channel->listeners),
                               [](const auto& one) { return one.is_live(); });
    return first != std::end(channel->listeners) && first->process == ngx_pid;
}

} // namespace store
