/* A ring of one cell, claimed by name: two putters and two getters, of which one is killed before any of its steps, and whoever comes by
 * repairs. Says: nothing is got that is half put, or twice, or out of order; nobody waits for ever; what is lost is lost to the death.
 * The code: src/shm/ring.c, ring.h; comm/README.md has the table.
 * Mistakes: publish_early claim_unnamed repair_blindly same_lap lose_what_is_put */
#define CELLS 1
#define FREE 0
#define RESERVED 1
#define TAKEN 2
#define SKIP 3
#define READY 4
#define WORD(state, x) ((state) + 8 * (x)) /* x: the lap, or who owns it */
#define STATE(w) ((w) % 8)
#define X(w) ((w) / 8)
#define NOBODY 31
#define DEAD(w) (X(w) != NOBODY && killed[X(w)])

byte cell[CELLS], data[CELLS], tail, head;
bool killed[5], over[5];          /* 1, 2: putters; 3, 4: getters */
byte got[2];                      /* the last message of each putter that came */

inline swap(at, from, to, done) { atomic { done = (at == (from)); if :: done -> at = (to) :: else fi } }

/* A cell reserved by a dead one: counted first, then skipped. */
inline repair_reserved(p, w) {
    swap(tail, p, p + 1, ok);
#ifdef MISTAKE_repair_blindly
    cell[(p) % CELLS] = WORD(SKIP, (p) / CELLS)
#else
    swap(cell[(p) % CELLS], w, WORD(SKIP, (p) / CELLS), ok)
#endif
}

/* Past the position first: no cell is ever free before the head has passed it. */
inline give_up(p, w) {
    swap(head, p, p + 1, done);
    swap(cell[(p) % CELLS], w, WORD(FREE, (p) / CELLS + 1), ok)
}

proctype putter(byte me; byte messages)
{
    byte t, h, w, n = 1;
    bool ok, done;
    {
        skip;
again:  if :: n > messages -> goto out :: else fi;
        t = tail;
        h = head; /* before the word */
        w = cell[t % CELLS];
        if
        :: w == WORD(FREE, t / CELLS) ->
#ifdef MISTAKE_claim_unnamed
            swap(cell[t % CELLS], w, WORD(RESERVED, NOBODY), ok);
            if :: ok -> cell[t % CELLS] = WORD(RESERVED, me) :: else fi;
#else
            swap(cell[t % CELLS], w, WORD(RESERVED, me), ok);
#endif
            if :: !ok -> goto again :: else fi
        :: STATE(w) == RESERVED && h + CELLS > t ->
            swap(tail, t, t + 1, ok);
            goto again
        :: (STATE(w) == FREE || STATE(w) == READY || STATE(w) == SKIP) && X(w) > t / CELLS - (STATE(w) != FREE) ->
            swap(tail, t, t + 1, ok);
            goto again
        :: STATE(w) == TAKEN && DEAD(w) ->
#ifdef MISTAKE_lose_what_is_put
            give_up(t - CELLS, w);
#else
            if :: tail == t -> give_up(t - CELLS, w) :: else fi;
#endif
            goto again
        :: else -> /* full; or it has changed */
            (cell[t % CELLS] != w || tail != t || DEAD(w)); /* asleep until then */
            goto again
        fi;
        swap(tail, t, t + 1, ok);
#ifdef MISTAKE_publish_early
        cell[t % CELLS] = WORD(READY, t / CELLS)
        data[t % CELLS] = 0;
        data[t % CELLS] = 16 * me + n;
#else
        data[t % CELLS] = 0; /* half of it */
        data[t % CELLS] = 16 * me + n;
        cell[t % CELLS] = WORD(READY, t / CELLS)
#endif
        n++;
        goto again;
out:    skip
    } unless { killed[me] }
    d_step { over[me] = true; t = 0; h = 0; w = 0; ok = false; done = false; n = 0 }
}

#define NO_MORE ((over[1] || killed[1]) && (over[2] || killed[2]))

proctype getter(byte me)
{
    byte t, h, w, d;
    bool ok, done;
    {
        skip;
again:  h = head;
        t = tail; /* before the word */
        w = cell[h % CELLS];
        if
        :: w == WORD(READY, h / CELLS) ->
            swap(cell[h % CELLS], w, WORD(TAKEN, me), ok);
            if :: !ok -> goto again :: else fi
        :: w == WORD(SKIP, h / CELLS) -> give_up(h, w); goto again
        :: STATE(w) == RESERVED && X(w) != NOBODY && DEAD(w) ->
            if :: head == h -> repair_reserved(h, w) :: else fi;
            goto again
        :: STATE(w) == TAKEN && t > h -> swap(head, h, h + 1, ok); goto again
        :: else -> /* nothing; or it has changed */
            if
            :: head != h || tail != t || cell[h % CELLS] != w -> goto again
            :: STATE(w) == RESERVED && DEAD(w) -> goto again
            :: NO_MORE && tail == t && head == t && STATE(cell[h % CELLS]) != RESERVED -> goto out
            fi
        fi;
        swap(head, h, h + 1, ok);
        atomic {
            d = data[h % CELLS];
            assert(d != 0);
            assert(d % 16 == got[d / 16 - 1] + 1 || killed[3] || killed[4]);
            assert(d % 16 > got[d / 16 - 1]);
            got[d / 16 - 1] = d % 16
        }
        atomic {
#ifdef MISTAKE_same_lap
            swap(cell[h % CELLS], WORD(TAKEN, me), WORD(FREE, h / CELLS), ok);
#else
            swap(cell[h % CELLS], WORD(TAKEN, me), WORD(FREE, h / CELLS + 1), ok);
#endif
            assert(ok);
            data[h % CELLS] = 0
        }
        goto again;
out:    skip
    } unless { killed[me] }
    d_step { over[me] = true; t = 0; h = 0; w = 0; d = 0; ok = false; done = false }
}

init {
    atomic { run putter(1, 1); run putter(2, 1); run getter(3); run getter(4) }
    if :: killed[1] = true :: killed[3] = true :: skip fi /* who of the two makes no difference */
}
