/* Slots: births and deaths as one word each, and whose claim is alive.
 * It must not start the watch: who dies here is declared dead by hand.
 * Read next: bare_team.h; ../sync/test_pid_reuse.c, where pids come back.
 *
 * labels: ptrace */
#include "bare_team.h"
#include "stepkill.h"

#include <pthread.h>

#define LIMIT ((uint64_t)16 << 20)
#define LAST_EPOCH ((UINT64_C(1) << 40) - 1)

static bare_team team;
static yn_slot_table_shared *table;

static void make_team(void)
{
    bare_team_make(&team, LIMIT);
    table = &team.arena->slots;
}

static yn_claim take(yn_claim parent)
{
    int error = 1;
    yn_claim claim = yn_slot_take(team.arena, team.fd, parent, &error);
    must((claim != 0) == (error == 0));
    must((claim & YN_CLAIM_FLAGS) == 0);
    return claim;
}

static int take_error(void)
{
    int error = 1;
    must(yn_slot_take(team.arena, team.fd, 0, &error) == 0);
    return error;
}

static yn_slot_shared *slot_of(yn_claim claim)
{
    return yn_slot_at(table, yn_claim_slot(claim));
}

static yn_slot_state state_of(yn_claim claim)
{
    return yn_slot_state_of(atomic_load(&slot_of(claim)->word));
}

static void end(yn_claim claim)
{
    must(yn_slot_declare_dead(table, claim));
    yn_slot_free(table, claim);
}

START_TEST(a_claim_says_slot_and_epoch)
{
    static const uint32_t slots[] = {0, 1, 63, 64, YN_SLOT_MOST};
    static const uint64_t epochs[] = {1, 255, 256, UINT64_C(1) << 32, LAST_EPOCH};
    for (size_t i = 0; i < YN_COUNT(slots) * YN_COUNT(epochs); i++) {
        uint32_t slot = slots[i % YN_COUNT(slots)];
        uint64_t epoch = epochs[i / YN_COUNT(slots)];
        yn_claim claim = yn_claim_make(slot, epoch);
        ck_assert_uint_eq(yn_claim_slot(claim), slot);
        ck_assert_uint_eq(claim >> 24, epoch);
        ck_assert_uint_eq(claim & YN_CLAIM_FLAGS, 0);
        ck_assert_uint_eq(yn_claim_who(claim | 11), claim);
    }
}
END_TEST

START_TEST(a_claim_is_alive_from_birth_to_death)
{
    make_team();
    yn_claim parent = take(0), claim = take(parent);
    ck_assert_uint_eq(atomic_load(&slot_of(claim)->parent), parent);
    ck_assert_int_eq(state_of(claim), YN_SLOT_STARTING);
    ck_assert_int_eq(yn_slot_pid(slot_of(claim), claim), 0); /* not known yet */
    ck_assert(yn_claim_is_alive(table, claim));
    ck_assert(yn_slot_go_live(table, claim));
    ck_assert(yn_slot_go_live(table, claim)); /* once more does no harm */
    ck_assert_int_eq(state_of(claim), YN_SLOT_LIVE);
    ck_assert(yn_claim_is_alive(table, claim));
    ck_assert(yn_claim_is_alive(table, claim | YN_CLAIM_NUDGED | 1));
    ck_assert(yn_slot_declare_dead(table, claim));
    ck_assert(!yn_slot_declare_dead(table, claim)); /* for one caller alone */
    ck_assert(!yn_claim_is_alive(table, claim));
    ck_assert(!yn_slot_go_live(table, claim));
    yn_slot_free(table, claim);
    ck_assert_uint_eq(atomic_load(&table->ended), 1);
    yn_slot_free(table, claim);
    ck_assert_uint_eq(atomic_load(&table->ended), 1);
    ck_assert_int_eq(state_of(claim), YN_SLOT_FREE);
    ck_assert(!yn_claim_is_alive(table, claim));
    ck_assert(!yn_slot_declare_dead(table, claim));
    ck_assert(!yn_slot_go_live(table, claim));
    ck_assert_uint_eq(atomic_load(&table->alive), 1);
}
END_TEST

START_TEST(nobody_is_not_alive)
{
    make_team();
    ck_assert(!yn_claim_is_alive(table, 0));
    take(0); /* has number 0 */
    ck_assert(!yn_claim_is_alive(table, 0));
    ck_assert(!yn_claim_is_alive(table, yn_claim_make(5, 1)));            /* never taken */
    ck_assert(!yn_claim_is_alive(table, yn_claim_make(5, 0)));            /* as a new slot says itself */
    ck_assert(!yn_claim_is_alive(table, yn_claim_make(64, 1)));           /* beyond the table as it is */
    ck_assert(!yn_claim_is_alive(table, yn_claim_make(YN_SLOT_MOST, 1))); /* … and as it can be */
}
END_TEST

/* What is said of the last tenant, however late, does nothing to the next. */
START_TEST(the_next_tenant_is_somebody_else)
{
    make_team();
    yn_claim parent = take(0), old = take(parent);
    yn_slot_shared *slot = slot_of(old);
    ck_assert(yn_slot_set_pid(slot, old, 1234));
    atomic_store(&slot->record, &team);
    atomic_store(&slot->seat.taken, 1);
    atomic_store(&slot->seat.word, (_Atomic uint32_t *)&table->lowest);
    static yn_seat_shared further[2] = {{.taken = 1, .turn = 3}, {.taken = 1, .turn = 3}};
    atomic_store(&slot->seats, &further[0]);
    atomic_store(&further[0].next, &further[1]);
    yn_slot_go_live(table, old);
    end(old);
    yn_claim next = take(0);
    ck_assert_uint_eq(yn_claim_slot(next), yn_claim_slot(old));
    ck_assert_uint_eq(next >> 24, (old >> 24) + 1);
    ck_assert(!yn_claim_is_alive(table, old));
    ck_assert(yn_claim_is_alive(table, next));
    ck_assert_uint_eq(atomic_load(&slot->parent), 0);
    ck_assert_ptr_null(atomic_load(&slot->record));
    ck_assert_ptr_null((void *)atomic_load(&slot->seat.word));
    ck_assert_uint_eq(atomic_load(&slot->seat.taken), 0);
    for (int i = 0; i < 2; i++)
        ck_assert_uint_eq(atomic_load(&further[i].taken) | atomic_load(&further[i].turn), 0);
    ck_assert_ptr_eq(atomic_load(&slot->seats), &further[0]); /* it may use them */
    ck_assert_int_eq(yn_slot_pid(slot, old), 0);
    ck_assert_int_eq(yn_slot_pid(slot, next), getpid()); /* without a parent, it is taken for the taker itself */

    ck_assert(!yn_slot_go_live(table, old));
    ck_assert(!yn_slot_declare_dead(table, old));
    yn_slot_free(table, old);
    yn_slot_free_taken(table, old);
    ck_assert(yn_slot_set_pid(slot, next, 77));
    ck_assert(!yn_slot_set_pid(slot, old, 1234));
    ck_assert_int_eq(yn_slot_pid(slot, next), 77);
    ck_assert_int_eq(state_of(next), YN_SLOT_STARTING);
    ck_assert(yn_claim_is_alive(table, next));
}
END_TEST

START_TEST(the_lowest_free_slot_is_taken)
{
    make_team();
    yn_claim claim[20];
    for (uint32_t i = 0; i < YN_COUNT(claim); i++) {
        claim[i] = take(0);
        ck_assert_uint_eq(yn_claim_slot(claim[i]), i);
    }
    static const uint32_t ended[] = {7, 3, 15};
    for (size_t i = 0; i < YN_COUNT(ended); i++)
        end(claim[ended[i]]);
    ck_assert_uint_eq(yn_claim_slot(take(0)), 3);
    ck_assert_uint_eq(yn_claim_slot(take(0)), 7);
    ck_assert_uint_eq(yn_claim_slot(take(0)), 15);
    ck_assert_uint_eq(yn_claim_slot(take(0)), 20);
    ck_assert_uint_eq(atomic_load(&table->alive), 21);
    ck_assert_uint_eq(atomic_load(&table->used), 21);
}
END_TEST

/* All of a segment, to its last slot: nobody looks beyond, where there is none. */
START_TEST(a_full_segment_is_walked_to_its_end)
{
    yn_claim claim[64];
    make_team();
    for (uint32_t i = 0; i < YN_COUNT(claim); i++)
        claim[i] = take(0);
    ck_assert_uint_eq(atomic_load(&table->used), 64);
    ck_assert(yn_slot_are_beyond(table, 63) && !yn_slot_are_beyond(table, 64));
    yn_slot_free_taken(table, claim[63]);
    ck_assert_uint_eq(atomic_load(&table->alive), 64);
    /* Whatever the hint says, a free one is found before the table grows. */
    static const uint32_t ended[] = {0, 20, 63};
    for (uint32_t i = 0; i <= 65 * 3; i++) {
        uint32_t n = ended[i % 3];
        end(claim[n]);
        atomic_store(&table->lowest, i / 3);
        claim[n] = take(0);
        ck_assert_uint_eq(yn_claim_slot(claim[n]), n);
        ck_assert_ptr_null(atomic_load(&table->segment[1]));
    }
    ck_assert_uint_eq(yn_claim_slot(take(0)), 64);
}
END_TEST

/* What one of the dead was taking, and it alone: the taker's number stands in the word. */
START_TEST(what_the_dead_was_taking_is_free_again)
{
    make_team();
    yn_claim claim[6];
    for (uint32_t i = 0; i < YN_COUNT(claim); i++)
        claim[i] = take(0);
    static const uint32_t takers[] = {4, 3, 4, 4, 4, 4};
    enum { guest = 2 }; /* that one took it for itself */
    for (uint32_t i = 0; i < YN_COUNT(claim); i++)
        atomic_store(&slot_of(claim[i])->word,
                     claim[i] >> 24 << 24 | takers[i] << 4 | (i == guest ? YN_SLOT_GUESTS : YN_SLOT_TAKEN));
    atomic_store(&table->lowest, 6);
    yn_slot_free_taken(table, yn_claim_make(4, 77));
    for (uint32_t i = 0; i < YN_COUNT(claim); i++)
        ck_assert_int_eq(state_of(claim[i]) != YN_SLOT_FREE, i == 1 || i == guest);
    ck_assert_uint_eq(atomic_load(&table->alive), 2);
    ck_assert_uint_eq(atomic_load(&table->lowest), 0);
    ck_assert_uint_eq(atomic_load(&table->ended), 0); /* nobody has lived in it */
    ck_assert_uint_eq(yn_claim_slot(take(0)), 0);
}
END_TEST

/* Who dies while it takes a slot leaves the count too high: nobody is refused for that. */
START_TEST(a_count_that_a_death_left_too_high_refuses_nobody)
{
    yn_claim claim[3];
    make_team();
    for (size_t i = 0; i < YN_COUNT(claim); i++)
        claim[i] = take(0);
    ck_assert(yn_slot_are_beyond(table, 2) && !yn_slot_are_beyond(table, 3));
    atomic_fetch_add(&table->alive, 1);
    ck_assert(yn_slot_are_beyond(table, 2) && !yn_slot_are_beyond(table, 3));
    end(claim[1]);
    ck_assert(yn_slot_are_beyond(table, 1) && !yn_slot_are_beyond(table, 2));
}
END_TEST

/* One after the other: few slots serve many. */
START_TEST(a_thousand_lives_take_one_slot)
{
    make_team();
    for (uint64_t epoch = 1; epoch <= 1000; epoch++) {
        yn_claim claim = take(0);
        ck_assert_uint_eq(claim, yn_claim_make(0, epoch));
        end(claim);
    }
    ck_assert_uint_eq(atomic_load(&table->used), 1);
    ck_assert_uint_eq(atomic_load(&table->alive), 0);
    ck_assert_uint_eq(atomic_load(&table->ended), 1000);
    yn_slot_free(table, yn_claim_make(0, 1000)); /* it has been */
    ck_assert_uint_eq(atomic_load(&table->ended), 1000);
}
END_TEST

/* After 2^40 tenants the count begins anew, and no claim is ever that of nobody. */
START_TEST(the_epoch_begins_anew_without_nobody)
{
    make_team();
    for (unsigned bit = 0; bit < 40; bit++) {
        uint64_t epoch = UINT64_C(1) << bit;
        atomic_store(&table->first[0].word, (epoch - 1) << 24 | YN_SLOT_FREE);
        yn_claim claim = take(0);
        ck_assert_uint_eq(claim, yn_claim_make(0, epoch));
        end(claim);
    }
    atomic_store(&table->first[0].word, (LAST_EPOCH - 1) << 24 | YN_SLOT_FREE);
    yn_claim last = take(0);
    ck_assert_uint_eq(last, yn_claim_make(0, LAST_EPOCH));
    ck_assert(yn_slot_go_live(table, last) && yn_claim_is_alive(table, last));
    ck_assert(yn_slot_set_pid(slot_of(last), last, 5));
    end(last);
    yn_claim first = take(0);
    ck_assert_uint_eq(first, yn_claim_make(0, 1));
    ck_assert(yn_claim_is_alive(table, first));
    ck_assert(!yn_claim_is_alive(table, last));
    ck_assert(yn_slot_set_pid(slot_of(first), first, 6));
    ck_assert(!yn_slot_set_pid(slot_of(first), last, 5));
    end(first);
}
END_TEST

/* The table grows segment by segment, as long as there is memory; then a start is refused, until somebody ends. */
START_TEST(thousands_at_once_until_memory_runs_out)
{
    make_team();
    uint32_t count = 0;
    int error = 0;
    yn_claim claim, some = 0;
    while ((claim = yn_slot_take(team.arena, team.fd, 0, &error)) != 0) {
        must(yn_claim_slot(claim) == count);
        must(yn_slot_at(table, count) != NULL && yn_claim_is_alive(table, claim));
        some = ++count == 30000 ? claim : some;
    }
    ck_assert_int_eq(error, -ENOMEM);
    ck_assert_uint_eq(count, 64 * ((1 << 10) - 1)); /* ten segments fit into this arena */
    ck_assert_uint_eq(atomic_load(&table->alive), count);
    ck_assert_int_eq(take_error(), -ENOMEM);
    end(some);
    claim = take(0);
    ck_assert_uint_eq(yn_claim_slot(claim), yn_claim_slot(some));
    ck_assert_int_eq(take_error(), -ENOMEM);
}
END_TEST

/* A table as large as it may be, whose segments are the same few pages over and over, and taken. */
START_TEST(more_than_a_million_are_refused)
{
    make_team();
    enum { block = 64 * 64 };
    size_t size = sizeof(yn_slot_shared) * block, most = sizeof(yn_slot_shared) * 64 << (YN_SLOT_SEGMENTS - 1);
    int fd = memfd_create("slots", MFD_CLOEXEC);
    ck_assert(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
    char *all = mmap(NULL, most, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ck_assert_ptr_ne(all, MAP_FAILED);
    for (size_t at = 0; at < most; at += size)
        must(mmap(all + at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == all + at);
    yn_slot_shared *slot = (yn_slot_shared *)(void *)all;
    for (int i = 0; i < block; i++)
        atomic_store(&slot[i].word, UINT64_C(1) << 24 | YN_SLOT_LIVE);
    for (int k = 1; k < YN_SLOT_SEGMENTS - 1; k++)
        atomic_store(&table->segment[k], slot);
    /* Of the last one, no number but the first 63 can stand in a claim: the rest is free, and is not taken. */
    yn_slot_shared *last = mmap(NULL, most, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ck_assert_ptr_ne(last, MAP_FAILED);
    for (int i = 0; i < 63; i++)
        atomic_store(&last[i].word, UINT64_C(1) << 24 | YN_SLOT_LIVE);
    atomic_store(&table->segment[YN_SLOT_SEGMENTS - 1], last);
    for (int i = 0; i < 64; i++)
        take(0);
    ck_assert_int_eq(take_error(), -EAGAIN);
    ck_assert_int_eq(take_error(), -EAGAIN);
    munmap(all, most);
    munmap(last, most);
    close(fd);
}
END_TEST

static _Atomic int go;

static void *take_many(void *claims)
{
    while (!atomic_load(&go))
        yn_pause();
    for (int i = 0; i < 500; i++)
        ((yn_claim *)claims)[i] = take(0);
    return NULL;
}

/* Also while the table grows, each slot has one tenant. */
START_TEST(who_take_at_once_get_different_ones)
{
    enum { threads = 4 };
    static yn_claim claim[threads][500];
    static bool seen[threads * 500 + 64];
    pthread_t thread[threads];
    make_team();
    for (int i = 0; i < threads; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, take_many, claim[i]), 0);
    atomic_store(&go, 1);
    for (int i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
    for (int i = 0; i < threads * 500; i++) {
        uint32_t number = yn_claim_slot(claim[i / 500][i % 500]);
        must(number < YN_COUNT(seen) && !seen[number]);
        seen[number] = true;
    }
    ck_assert_uint_eq(atomic_load(&table->alive), threads * 500);
}
END_TEST

/* A starter that is killed while it takes a slot, or a guest that takes one for itself. */
typedef struct scene {
    yn_claim victim;
    bool guest;
    pid_t pid;       /* the guest's */
    long half_taken; /* points at which a slot was the victim's to clear */
    step_range memory[STEP_RANGES];
} scene;

static void set_scene(void *context)
{
    scene *s = context;
    bare_team_drop(&team);
    make_team();
    take(0);
    s->victim = take(0);
    ck_assert(yn_slot_go_live(table, s->victim));
    yn_claim before = take(0); /* something for the taker to clear */
    atomic_store(&slot_of(before)->record, s);
    yn_slot_set_pid(slot_of(before), before, 99);
    end(before);
    s->memory[0] = (step_range){team.arena, sizeof *team.arena};
}

static void take_as_victim(void *context)
{
    scene *s = context;
    int error;
    s->pid = getpid();
    yn_slot_take(team.arena, team.fd, s->guest ? 0 : s->victim, &error);
}

/* What the watch does: what its dead were taking is free again, and so is what they had taken and not yet given to a
 * process. */
static void nothing_is_left(void *context, long point)
{
    scene *s = context;
    (void)point;
    must(yn_slot_declare_dead(table, s->victim));
    for (uint32_t i = 0; i < atomic_load(&table->used); i++) {
        yn_slot_shared *slot = yn_slot_at(table, i);
        uint64_t word = atomic_load(&slot->word);
        yn_claim claim = yn_claim_make(i, word >> 24);
        yn_slot_state state = yn_slot_state_of(word);
        bool its = s->guest ? yn_slot_pid(slot, claim) == s->pid : atomic_load(&slot->parent) == s->victim;
        if (state == YN_SLOT_STARTING && its)
            end(claim);
        uint32_t taker = s->guest ? (uint32_t)s->pid & YN_SLOT_MOST : yn_claim_slot(s->victim);
        s->half_taken += state == (s->guest ? YN_SLOT_GUESTS : YN_SLOT_TAKEN) && yn_claim_slot(word) == taker;
        if (state == YN_SLOT_GUESTS)
            yn_slot_free_guests(table, i, word);
    }
    yn_slot_free_taken(table, s->victim);
    yn_slot_free(table, s->victim);
    for (uint32_t i = 1; i < atomic_load(&table->used); i++)
        must(yn_slot_state_of(atomic_load(&yn_slot_at(table, i)->word)) == YN_SLOT_FREE);
    must(atomic_load(&table->alive) >= 1 && atomic_load(&table->alive) <= 2); /* a statistic: never too low */
    for (uint32_t i = 1; i < 4; i++)
        must(yn_claim_slot(take(0)) == i);
}

START_TEST(who_is_killed_anywhere_leaves_no_slot_taken)
{
    scene *s = step_shared(sizeof *s);
    s->guest = _i != 0;
    step_plan plan = {
        .setup = set_scene, .victim = take_as_victim, .check = nothing_is_left, .context = s, .memory = s->memory};
    ck_assert_int_gt(step_kill_sweep(&plan), 3);
    ck_assert_int_gt(s->half_taken, 1); /* while it cleared its words */
    step_unshare(s, sizeof *s);
}
END_TEST

static void drop_team(void)
{
    bare_team_drop(&team);
}

static Suite *make(void)
{
    Suite *suite = suite_create("slot");
    TCase *cases = test_case(suite, "slot");
    tcase_add_checked_fixture(cases, NULL, drop_team);
    tcase_add_test(cases, a_claim_says_slot_and_epoch);
    tcase_add_test(cases, a_claim_is_alive_from_birth_to_death);
    tcase_add_test(cases, nobody_is_not_alive);
    tcase_add_test(cases, the_next_tenant_is_somebody_else);
    tcase_add_test(cases, the_lowest_free_slot_is_taken);
    tcase_add_test(cases, a_full_segment_is_walked_to_its_end);
    tcase_add_test(cases, what_the_dead_was_taking_is_free_again);
    tcase_add_test(cases, a_count_that_a_death_left_too_high_refuses_nobody);
    tcase_add_test(cases, a_thousand_lives_take_one_slot);
    tcase_add_test(cases, the_epoch_begins_anew_without_nobody);
    tcase_add_test(cases, thousands_at_once_until_memory_runs_out);
    tcase_add_test(cases, more_than_a_million_are_refused);
    tcase_add_test(cases, who_take_at_once_get_different_ones);
    if (step_is_possible())
        tcase_add_loop_test(cases, who_is_killed_anywhere_leaves_no_slot_taken, 0, 2);
    return suite;
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, make);
}
