/* Sharing a map among workers that may die at any instruction.
 * Never locks, never counts what it can look up: every claim names its claimant in the word that is claimed.
 * Next: pool/worker.c (who takes), pool/settle.c (who repairs), README.md. */
#include "pool/job.h"
#include "shm/heap.h"

/* range: 00 hi(31) lo(31) | EMPTY serial(32) | STEAL thief(20) … serial(32) */
#define KIND(word) ((word) >> 62)
#define EMPTY UINT64_C(1)
#define STEAL UINT64_C(2)
#define LOW31 ((UINT64_C(1) << 31) - 1)

static uint64_t make_range(uint64_t lo, uint64_t hi)
{
    return hi << 31 | lo;
}

static uint32_t lo_of(uint64_t word)
{
    return (uint32_t)(word & LOW31);
}

static uint32_t hi_of(uint64_t word)
{
    return (uint32_t)(word >> 31 & LOW31);
}

static bool in_task(uint64_t current)
{
    return current >> 62 & 1;
}

static uint64_t make_steal(uint32_t thief, uint32_t serial)
{
    return STEAL << 62 | (uint64_t)thief << 32 | serial;
}

void yn_job_share_out(yn_job_shared *job)
{
    for (uint32_t w = 0; w < job->lanes; w++) {
        uint64_t lo = (uint64_t)job->count * w / job->lanes, hi = (uint64_t)job->count * (w + 1) / job->lanes;
        atomic_init(&job->lane[w].range, make_range(lo, hi));
        atomic_init(&job->lane[w].current, make_range(lo, lo));
    }
}

/* Completes the theft that stands in lane v. Any number of helpers, at any time later: the serial makes each step
 * happen once. */
YN_IN_CHILD static void help(yn_job_shared *job, uint32_t v, uint64_t steal)
{
    uint32_t thief = (uint32_t)(steal >> 32) & YN_SLOT_MOST;
    uint64_t loot = atomic_load(&job->lane[thief].loot);
    if (atomic_load(&job->lane[v].range) != steal)
        return; /* done already; the loot may be of another theft */
    uint64_t lo = lo_of(loot), hi = hi_of(loot), middle = lo + (hi - lo) / 2;
    uint64_t empty = EMPTY << 62 | (uint32_t)steal;
    atomic_compare_exchange_strong(&job->lane[thief].range, &empty, make_range(middle, hi));
    atomic_compare_exchange_strong(&job->lane[v].range, &steal, make_range(lo, middle));
}

/* The range of lane w with no theft under way in it. */
YN_IN_CHILD static uint64_t settled(yn_job_shared *job, uint32_t w)
{
    uint64_t word;
    while (KIND(word = atomic_load(&job->lane[w].range)) == STEAL)
        help(job, w, word);
    return word;
}

static uint32_t size_of(uint64_t word)
{
    return KIND(word) == 0 && hi_of(word) > lo_of(word) ? hi_of(word) - lo_of(word) : 0;
}

uint32_t yn_job_left(yn_job_shared *job, uint32_t w)
{
    return size_of(atomic_load_explicit(&job->lane[w].range, memory_order_relaxed));
}

YN_IN_CHILD bool yn_job_has_work(yn_job_shared *job)
{
    if (job->lanes == 0)
        return yn_job_state_of(job) == YN_JOB_OPEN;
    for (uint32_t w = 0; w < job->lanes; w++) {
        uint64_t word = atomic_load(&job->lane[w].range);
        if (KIND(word) == STEAL || size_of(word) > 0)
            return true;
    }
    return false;
}

/* Takes the back half of the largest range. False: there is none. */
YN_IN_CHILD static bool steal(yn_job_shared *job, uint32_t w)
{
    yn_lane_shared *mine = &job->lane[w];
    for (;;) {
        uint32_t best = 0, largest = 0;
        uint64_t found = 0;
        for (uint32_t i = 1; i < job->lanes; i++) {
            uint32_t v = w + i < job->lanes ? w + i : w + i - job->lanes;
            uint64_t word = settled(job, v);
            if (size_of(word) > largest) {
                largest = size_of(word);
                best = v;
                found = word;
            }
        }
        if (size_of(settled(job, w)) > 0) /* a theft of our predecessor's has come through */
            return true;
        if (largest == 0)
            return false;
        uint32_t serial = atomic_load_explicit(&mine->serial, memory_order_relaxed) + 1;
        atomic_store(&mine->serial, serial);
        uint64_t was = atomic_load(&mine->range);
        if (!atomic_compare_exchange_strong(&mine->range, &was, EMPTY << 62 | serial))
            continue;
        atomic_store(&mine->loot, found);
        uint64_t word = make_steal(w, serial);
        if (atomic_compare_exchange_strong(&job->lane[best].range, &found, word)) {
            help(job, best, word);
            return true;
        }
    }
}

YN_IN_CHILD bool yn_job_take(yn_job_shared *job, uint32_t w, uint32_t most, yn_chunk *chunk)
{
    yn_lane_shared *mine = &job->lane[w];
    for (;;) {
        uint64_t word = settled(job, w);
        uint32_t n = size_of(word);
        if (n == 0) {
            if (!steal(job, w))
                return false;
            continue;
        }
        n = n < most ? n : most;
        uint32_t lo = lo_of(word);
        atomic_store_explicit(&mine->current, make_range(lo, lo + n), memory_order_relaxed);
        if (atomic_compare_exchange_strong(&mine->range, &word, make_range(lo + n, hi_of(word)))) {
            *chunk = (yn_chunk){.at = lo, .end = lo + n};
            return true;
        }
        atomic_store_explicit(&mine->current, make_range(lo, lo), memory_order_relaxed);
    }
}

YN_IN_CHILD void yn_job_end_chunk(yn_job_shared *job, uint32_t w, uint32_t end)
{
    atomic_store_explicit(&job->lane[w].current, make_range(end, end), memory_order_release);
}

/* Whether the chunk that `current` names was really taken: the range goes on behind it. */
static bool was_taken(uint64_t current, uint64_t range)
{
    return hi_of(current) > lo_of(current) && KIND(range) == 0 && lo_of(range) == hi_of(current);
}

bool yn_job_was_in(yn_job_shared *job, uint32_t w, uint32_t *at)
{
    uint64_t range = settled(job, w), current = atomic_load(&job->lane[w].current);
    *at = lo_of(current);
    return in_task(current) && was_taken(current, range);
}

bool yn_job_hand_back(yn_job_shared *job, uint32_t w)
{
    yn_lane_shared *lane = &job->lane[w];
    uint64_t current = atomic_load(&lane->current), range;
    do {
        range = settled(job, w);
        if (!was_taken(current, range))
            break;
    } while (!atomic_compare_exchange_weak(&lane->range, &range,
                                           make_range(lo_of(current) + in_task(current), hi_of(range))));
    atomic_store(&lane->current, make_range(hi_of(current), hi_of(current)));
    return size_of(settled(job, w)) > 0;
}

/* Every lane empty, and nobody at a chunk. The print of what was seen: thefts are in it, so no lane ever comes back to
 * an old one. */
YN_IN_CHILD static bool all_empty(yn_job_shared *job, uint64_t *print)
{
    *print = 0;
    for (uint32_t w = 0; w < job->lanes; w++) {
        yn_lane_shared *lane = &job->lane[w];
        uint64_t range = atomic_load(&lane->range), current = atomic_load(&lane->current);
        if (KIND(range) == STEAL || size_of(range) > 0 || hi_of(current) > lo_of(current))
            return false;
        *print = (*print ^ range ^ atomic_load(&lane->serial)) * UINT64_C(1099511628211) + current;
    }
    return true;
}

YN_IN_CHILD void yn_job_finish_if_done(yn_job_shared *job)
{
    uint64_t before, after;
    yn_full_fence(); /* our last chunk ends before we look at the others' */
    /* Two equal looks are one moment. */
    if (!all_empty(job, &before) || !all_empty(job, &after) || before != after)
        return;
    uint32_t open = YN_JOB_OPEN;
    if (atomic_compare_exchange_strong(&job->state, &open, YN_JOB_DONE))
        yn_job_announce(job);
}

YN_IN_CHILD void yn_job_announce(yn_job_shared *job)
{
    yn_event_notify_all(&job->done);
}

bool yn_job_has_failed(yn_job_shared *job, uint64_t index)
{
    for (yn_failed_shared *f = atomic_load(&job->failed); f; f = f->next)
        if (f->why.index == index)
            return true;
    return false;
}

void yn_job_fail(yn_self *me, yn_job_shared *job, const yunta_failure *why)
{
    yn_failed_shared *failed = yn_heap_alloc(me, sizeof *failed, 0);
    if (!failed) {
        atomic_store(&job->out_of_memory, 1);
        return;
    }
    failed->why = *why;
    yn_failed_shared *first = atomic_load(&job->failed);
    do
        failed->next = first;
    while (!atomic_compare_exchange_weak(&job->failed, &first, failed));
    atomic_fetch_add(&job->failures, 1);
}
