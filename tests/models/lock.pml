/* The lock's word, with the flag of those who sleep, against the death of owners and sleepers, and the watch that changes
 * the word slept on. Says: one inside at most; who comes after a death inside is told; nobody sleeps for ever.
 * The code: src/sync/lock.c, wait.c.
 * Mistakes: wake_only look_before_seat forget_sleepers */
#define N 3 /* processes, of which one may be killed, before any of its steps */
#define OWNER(w) ((w) & 3)
#define WAITERS 4
#define NUDGED 8
#define DIED 16

byte word;
bool killed[N + 1], declared[N + 1];   /* killed by whoever it was; declared dead by the watch */
bool inside[N + 1], asleep[N + 1];
bool seated[N + 1];
byte expected[N + 1], knew[N + 1];     /* the seat: the word slept on, and how many deaths had been counted */
byte deaths;

#define ALIVE(p) (!declared[p])
#define NOBODY_ELSE_INSIDE(me) ((me == 1 || !inside[1] || killed[1]) && (me == 2 || !inside[2] || killed[2]) && \
                                (me == 3 || !inside[3] || killed[3]))
#define A_DEAD_ONE_INSIDE ((inside[1] && killed[1]) || (inside[2] && killed[2]) || (inside[3] && killed[3]))

inline wake_one() { /* any one of those who sleep */
    if
    :: asleep[1] -> asleep[1] = false
    :: asleep[2] -> asleep[2] = false
    :: asleep[3] -> asleep[3] = false
    :: !asleep[1] && !asleep[2] && !asleep[3]
    fi
}

inline look_at_owner() { /* what sleep_on does between its seat and its sleep */
    if
    :: word != w || !ALIVE(OWNER(w)) -> seated[me] = false; goto again
    :: else
    fi
}

proctype process(byte me)
{
    byte w, extra, old;
    bool told;
    {
        skip;
again:  w = word;
        if
        :: OWNER(w) == 0 ->
            atomic { if :: word == w -> word = me | extra; told = false; goto got :: else -> goto again fi }
        :: OWNER(w) != 0 && !ALIVE(OWNER(w)) ->
            atomic { if :: word == w -> word = me | DIED | WAITERS; told = true; goto got :: else -> goto again fi }
        :: else
        fi;
        atomic { /* the flag is set and the nudge cleared, from exactly what was seen */
            old = w;
            w = (w | WAITERS) & ~NUDGED;
            if :: word == old -> word = w :: else -> goto again fi
        }
#ifdef MISTAKE_look_before_seat
        look_at_owner();
        atomic { expected[me] = w; knew[me] = deaths; seated[me] = true }
#else
        atomic { expected[me] = w; knew[me] = deaths; seated[me] = true }
        look_at_owner();
#endif
        atomic { if :: word == w -> asleep[me] = true :: else fi } /* futex */
        !asleep[me];
        seated[me] = false;
#ifndef MISTAKE_forget_sleepers
        extra = WAITERS;
#endif
        goto again;
got:    atomic { /* told of everything that a death may have left half done */
            assert(NOBODY_ELSE_INSIDE(me));
            assert(told || !A_DEAD_ONE_INSIDE);
            inside[1] = false; inside[2] = false; inside[3] = false;
            inside[me] = true
        }
        inside[me] = false;
        atomic { word = word & ~DIED }
        atomic { w = word; word = 0 }
        if :: w & WAITERS -> atomic { wake_one() } :: else fi
    } unless { killed[me] }
    d_step { asleep[me] = false; w = 0; extra = 0; old = 0; told = false }
}

proctype killer() { if :: killed[1] = true :: skip fi } /* which of them makes no difference */

inline nudge(p) {
    if
    :: seated[p] && knew[p] < seen ->
        seen_word = expected[p];
#ifndef MISTAKE_wake_only
        atomic { if :: word == seen_word -> word = seen_word | NUDGED :: else fi }
#endif
        atomic { asleep[1] = false; asleep[2] = false; asleep[3] = false }
    :: else
    fi
}

active proctype watch()
{
    byte seen, seen_word;
    run killer(); run process(1); run process(2); run process(3);
end: do
    :: killed[1] && !declared[1] -> goto died
    od;
died: declared[1] = true;
    deaths++;
    seen = deaths;
    nudge(1); nudge(2); nudge(3);
    goto end
}
