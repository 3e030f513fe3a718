/* One who waits for two queues at once, by listeners and a bell; putters that may be killed anywhere between publishing and
 * ringing; and another getter, which may take it all away. Says: who waits is not asleep while there is something to be had.
 * The code: src/sync/listen.c, wait.c; comm/wait_many.c.
 * Mistakes: look_before_hint bell_late hint_stays_down death_unheard */
byte ready[2];                    /* messages in the two queues */
bool hint[2];                     /* somebody listens: the next one who publishes takes it down, and tells all */
bool listens[2], by_death;        /* the listener's places: on the queues, and on the count of deaths */
byte bell;                        /* the word it sleeps on */
bool asleep, killed[2], told[2];

inline ring() { bell = (bell + 1) % 8; asleep = false }

proctype putter(byte me)
{
    byte n;
    {
        skip;
again:  ready[me] = ready[me] + 1;
        if /* an exchange */
        :: atomic { hint[me] -> hint[me] = false }; if :: listens[me] -> ring() :: else fi
        :: else
        fi;
        if :: n == 0 -> n = 1; goto again :: else fi
    } unless { killed[me] }
}

proctype watch()
{
end: do
    :: killed[0] && !told[0] -> told[0] = true; goto tell
    :: killed[1] && !told[1] -> told[1] = true; goto tell
    od;
tell:
#ifndef MISTAKE_death_unheard
    if :: by_death -> ring() :: else fi;
#endif
    goto end
}

/* Takes one message, if there is one; leaves another one there to be told of. */
proctype thief()
{
    if
    :: atomic { ready[0] > 0 -> ready[0] = ready[0] - 1 }
    :: atomic { ready[1] > 0 -> ready[1] = ready[1] - 1 }
    :: skip
    fi
}

/* Gets both messages, or hears that nobody is left who could put one. */
proctype waiter()
{
    byte key;
    listens[0] = true; listens[1] = true; by_death = true;
#ifdef MISTAKE_hint_stays_down
    hint[0] = true; hint[1] = true;
#endif
again:
#ifdef MISTAKE_look_before_hint
    key = bell;
    if
    :: ready[0] > 0 || ready[1] > 0 -> goto found
    :: else
    fi;
    hint[0] = true; hint[1] = true;
#else
#ifndef MISTAKE_bell_late
    key = bell;
#endif
#ifndef MISTAKE_hint_stays_down
    hint[0] = true; hint[1] = true;
#endif
    if
    :: ready[0] > 0 || ready[1] > 0 -> goto found
    :: else
    fi;
#ifdef MISTAKE_bell_late
    key = bell;
#endif
#endif
    atomic { if :: bell == key -> asleep = true :: else fi }
    /* Asleep. That is right only as long as there is nothing to be had. */
end: !asleep;
    goto again;
found:
    if
    :: atomic { ready[0] > 0 -> ready[0] = ready[0] - 1 }
    :: atomic { ready[1] > 0 -> ready[1] = ready[1] - 1 }
    :: else
    fi;
    goto again
}

init {
    atomic { run waiter(); run watch(); run thief(); run putter(0); run putter(1) }
    if :: killed[0] = true :: killed[1] = true :: skip fi;
    /* At the end of all, nobody moves any more: then it may sleep only if nothing is there. */
    timeout -> assert(!asleep || (ready[0] == 0 && ready[1] == 0))
}
