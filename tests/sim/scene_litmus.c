/* The simulator's own orders: small programs of which is known what C11 allows them to see. What it forbids must never
 * be seen; what it allows, and only weak machines do, must be.
 * It must know no order of the library. Next: views.c. */
#include "scenes.h"

enum { RELAXED = __ATOMIC_RELAXED, ACQUIRE = __ATOMIC_ACQUIRE, RELEASE = __ATOMIC_RELEASE, SEQ_CST = __ATOMIC_SEQ_CST };
enum { threads = 4, steps = 3, looks = 4, words = 3, seen_after = 4000 };
enum { NOTHING, STORE, LOAD, ADD, SWAP_IF_0, FENCE };

typedef struct step {
    int what, word, order;
} step;

/* A thread's stores of a word are 1, 2 and so on; a load, and what adds, notes what it has found. */
typedef struct litmus {
    const char *name;
    step thread[threads][steps];
    const char *weak; /* what each look would have found, in the order of the threads */
    bool is_allowed;
} litmus;

#define W(word, order)                                                                                                 \
    {                                                                                                                  \
        STORE, word, order                                                                                             \
    }
#define R(word, order)                                                                                                 \
    {                                                                                                                  \
        LOAD, word, order                                                                                              \
    }
#define A(word, order)                                                                                                 \
    {                                                                                                                  \
        ADD, word, order                                                                                               \
    }
#define C(word, order)                                                                                                 \
    {                                                                                                                  \
        SWAP_IF_0, word, order                                                                                         \
    }
#define F(order)                                                                                                       \
    {                                                                                                                  \
        FENCE, 0, order                                                                                                \
    }

static const litmus all[] = {
    {"messages", {{W(0, RELAXED), W(1, RELAXED)}, {R(1, RELAXED), R(0, RELAXED)}}, "10", true},
    {"messages, released only", {{W(0, RELAXED), W(1, RELEASE)}, {R(1, RELAXED), R(0, RELAXED)}}, "10", true},
    {"messages, acquired only", {{W(0, RELAXED), W(1, RELAXED)}, {R(1, ACQUIRE), R(0, RELAXED)}}, "10", true},
    {"messages, in order", {{W(0, RELAXED), W(1, RELEASE)}, {R(1, ACQUIRE), R(0, RELAXED)}}, "10", false},
    {"messages, fenced",
     {{W(0, RELAXED), F(RELEASE), W(1, RELAXED)}, {R(1, RELAXED), F(ACQUIRE), R(0, RELAXED)}},
     "10",
     false},
    {"messages, passed on",
     {{W(0, RELAXED), W(1, RELEASE)}, {A(1, RELAXED)}, {R(1, ACQUIRE), R(0, RELAXED)}},
     "120",
     false},
    {"messages, passed on by an add that is none",
     {{W(0, RELAXED), W(1, RELAXED)}, {A(1, RELEASE)}, {R(1, ACQUIRE), R(0, RELAXED)}},
     "120",
     true},
    {"messages, in order but for one look",
     {{W(0, SEQ_CST), W(1, SEQ_CST)}, {R(1, RELAXED), R(0, SEQ_CST)}},
     "10",
     true},
    {"messages, in order and released", {{W(0, SEQ_CST), W(1, RELEASE)}, {R(1, ACQUIRE), R(0, SEQ_CST)}}, "10", false},
    {"buffers", {{W(0, RELEASE), R(1, ACQUIRE)}, {W(1, RELEASE), R(0, ACQUIRE)}}, "00", true},
    {"buffers, in order", {{W(0, SEQ_CST), R(1, SEQ_CST)}, {W(1, SEQ_CST), R(0, SEQ_CST)}}, "00", false},
    {"buffers, fenced",
     {{W(0, RELAXED), F(SEQ_CST), R(1, RELAXED)}, {W(1, RELAXED), F(SEQ_CST), R(0, RELAXED)}},
     "00",
     false},
    {"buffers, one fenced, one in order",
     {{W(0, RELAXED), F(SEQ_CST), R(1, RELAXED)}, {W(1, SEQ_CST), R(0, SEQ_CST)}},
     "00",
     false},
    {"buffers, one fenced, one released",
     {{W(0, RELAXED), F(SEQ_CST), R(1, RELAXED)}, {W(1, RELEASE), R(0, SEQ_CST)}},
     "00",
     true},
    {"buffers, passed on",
     {{W(0, SEQ_CST), R(1, SEQ_CST)}, {W(1, SEQ_CST), W(2, RELEASE)}, {R(2, ACQUIRE), R(0, SEQ_CST)}},
     "010",
     false},
    {"buffers, fenced and passed on",
     {{W(0, RELAXED), F(SEQ_CST), R(1, RELAXED)}, {W(1, SEQ_CST), W(2, RELEASE)}, {R(2, ACQUIRE), R(0, SEQ_CST)}},
     "010",
     false},
    {"buffers, one fence", {{W(0, RELAXED), F(SEQ_CST), R(1, RELAXED)}, {W(1, RELAXED), R(0, RELAXED)}}, "00", true},
    {"a swap that acquires is no fence",
     {{C(0, ACQUIRE), R(1, SEQ_CST)}, {W(1, SEQ_CST), F(SEQ_CST), R(0, SEQ_CST)}},
     "000",
     true},
    {"a swap, in order", {{C(0, SEQ_CST), R(1, SEQ_CST)}, {W(1, SEQ_CST), R(0, SEQ_CST)}}, "000", false},
    {"one word, twice", {{W(0, RELAXED), W(0, RELAXED)}, {R(0, RELAXED), R(0, RELAXED)}}, "21", false},
    {"one word, seen by way of another",
     {{W(0, RELAXED), W(0, RELAXED)}, {R(0, RELAXED), W(1, RELEASE)}, {R(1, ACQUIRE), R(0, RELAXED)}},
     "211",
     false},
    {"two orders",
     {{W(0, RELEASE)}, {W(1, RELEASE)}, {R(0, ACQUIRE), R(1, ACQUIRE)}, {R(1, ACQUIRE), R(0, ACQUIRE)}},
     "1010",
     true},
    {"one order",
     {{W(0, SEQ_CST)}, {W(1, SEQ_CST)}, {R(0, SEQ_CST), R(1, SEQ_CST)}, {R(1, SEQ_CST), R(0, SEQ_CST)}},
     "1010",
     false},
};
enum { programs = sizeof all / sizeof all[0] };

static uint32_t *place; /* of the words, 8 bytes apart or side by side */
static unsigned apart;
static const litmus *is;
static char found[threads][looks + 1];
static unsigned played[programs], seen[programs];

/* As the compiler calls them in what is instrumented. */
uint32_t __tsan_atomic32_load(const volatile uint32_t *at, int order);
void __tsan_atomic32_store(volatile uint32_t *at, uint32_t value, int order);
uint32_t __tsan_atomic32_fetch_add(volatile uint32_t *at, uint32_t value, int order);
int __tsan_atomic32_compare_exchange_strong(volatile uint32_t *at, uint32_t *expected, uint32_t value, int order,
                                            int failed);
void __tsan_atomic_thread_fence(int order);

static void set_up(void)
{
    place = yn_heap_alloc(sim_me(), 8 * words, 0);
    sim_check(place != NULL);
    memset(place, 0, 8 * words);
    memset(played, 0, sizeof played);
    memset(seen, 0, sizeof seen);
}

static void begin(void)
{
    is = &all[sim_below(programs)];
    apart = 1 + sim_below(2);
    memset(found, 0, sizeof found);
}

static uint32_t take(const step *s, uint32_t to_store)
{
    uint32_t *at = place + apart * (unsigned)s->word, value = 0;
    switch (s->what) {
    case STORE:
        __tsan_atomic32_store(at, to_store, s->order);
        break;
    case LOAD:
        value = __tsan_atomic32_load(at, s->order);
        break;
    case ADD:
        value = __tsan_atomic32_fetch_add(at, 1, s->order);
        break;
    case SWAP_IF_0:
        __tsan_atomic32_compare_exchange_strong(at, &value, 1, s->order, RELAXED);
        break;
    case FENCE:
        __tsan_atomic_thread_fence(s->order);
        break;
    }
    return value;
}

static void run(int who)
{
    uint32_t stored[words] = {0};
    int n = 0;
    for (const step *s = is->thread[who]; s < is->thread[who] + steps && s->what != NOTHING; s++) {
        uint32_t value = take(s, stored[s->word] + 1);
        stored[s->word] += s->what == STORE;
        if (s->what != STORE && s->what != FENCE)
            found[who][n++] = (char)('0' + value);
    }
}

static void check(void)
{
    char whole[threads * looks + 1] = "";
    for (int who = 0; who < threads; who++)
        strcat(whole, found[who]);
    int program = (int)(is - all);
    played[program]++;
    seen[program] += strcmp(whole, is->weak) == 0;
    if (!is->is_allowed && seen[program])
        sim_fail(__FILE__, __LINE__, "%s: %s was seen, which may not be", is->name, whole);
    if (is->is_allowed && played[program] == seen_after && !seen[program])
        sim_fail(__FILE__, __LINE__, "%s: %s has not been seen in %d schedules", is->name, is->weak, seen_after);
}

const sim_scene scene_litmus = {.name = "litmus",
                                .setup = set_up,
                                .begin = begin,
                                .body = run,
                                .check = check,
                                .processes = threads,
                                .threads = 1,
                                .share = 100};
