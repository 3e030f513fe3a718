/* An eventcount's sleeper between a notifier and the watch: a seat of several words, written and read while both run.
 * Says: a notification, or the death of who was about to notify, is never slept through; what the watch changes is only
 * what is slept on. The code: yn_wait_prepare, yn_wait_on, nudge in src/sync/wait.c; yn_event_wake; the loops that use them.
 * Mistakes: wake_only no_second_look no_announcement declare_last read_torn */
byte sequence = 2;            /* the word slept on */
byte waiters;                 /* the hint */
bool published, killed, declared, stranger; /* stranger: somebody else died, with whom the sleeper has nothing to do */
byte deaths;
bool asleep;
byte turn, seat_word, seat_expected, seat_deaths; /* seat_word: 0 nothing, 1 sequence, 2 other */
byte known;                   /* deaths that the sleeper had looked after */

#define DONE (published || declared)   /* what the sleeper waits for, or the death that makes it pointless */

/* Sits down at the word; w is the value expected of it. */
inline sit(which, w) {
    turn++;
    seat_expected = w;
    seat_deaths = deaths;
    seat_word = which;
    turn++
}

proctype sleeper()
{
    byte key, now;
    /* Before this it slept on another word, and was woken there: the seat has a past. */
    sit(2, 0);
    seat_word = 0;
again:
    key = sequence;
    if :: DONE -> goto out :: else fi;
#ifndef MISTAKE_no_announcement
    waiters = 1;
#endif
    if :: DONE -> goto out :: else fi;
    sit(1, key);
    now = deaths;
#ifndef MISTAKE_no_second_look
    if :: now != known -> known = now; seat_word = 0; goto again :: else fi;
#endif
    atomic { if :: sequence == key -> asleep = true :: else fi }
    !asleep;
    seat_word = 0;
    goto again;
out: skip
}

proctype notifier()
{
    {
        published = true;
        if
        :: waiters -> waiters = 0; sequence = (sequence + 1) & 3; asleep = false
        :: else
        fi
    } unless { killed }
}

proctype killer() { if :: killed = true :: stranger = true :: skip fi }

proctype watch()
{
    byte t, which, w, d, seen;
end: (killed || stranger);
#ifdef MISTAKE_declare_last
    seen = deaths + 1;
#else
    declared = killed;
    deaths++;
    seen = deaths;
#endif
    t = turn;
    which = seat_word;
    w = seat_expected;
    d = seat_deaths;
    if
#ifdef MISTAKE_read_torn
    :: which != 0 && d < seen ->
#else
    :: which != 0 && t % 2 == 0 && turn == t && d < seen ->
#endif
#ifndef MISTAKE_wake_only
        atomic {
            if
            :: which == 1 && sequence == w -> sequence = (sequence + 1) & 3
            :: else -> assert(which != 2 || w == 0) /* another word is changed from the value slept on there, or not at all */
            fi
        }
#endif
        if :: which == 1 -> asleep = false :: else fi
    :: else
    fi;
#ifdef MISTAKE_declare_last
    declared = killed;
    deaths++;
#endif
    skip
}

init { atomic { run sleeper(); run notifier(); run killer(); run watch() } }
