/* Team: keeping a watch, and telling it of births. */
#ifndef YN_TEAM_H
#define YN_TEAM_H

#include "proc/news.h"

/* There is a watch, or one is started now. 0 or YUNTA_ENOWATCH. Cheap when it lives. */
int yn_team_ensure_watch(yn_self *me);

/* Whether the watch has descriptors for so many more than are in the team: 0 or -EMFILE. It would not see others die.
 * Those of the dead it lets go of in a moment: that is waited for, up to a second. */
int yn_team_await_capacity(yn_self *me, uint64_t newcomers);

/* A descriptor of this process, for its poll: readable once the watch has been killed, until it is looked after, and so
 * on with the next one. It stays the same, and is never closed. *rings: else the present watch cannot be seen (there is
 * none, or the kernel has no pidfds), and it has to be looked now and then. -EMFILE … */
int yn_team_watch_bell(yn_self *me, bool *rings);

/* What to do when it is readable, for who looks for other reasons as well. Cheap. */
void yn_team_answer_bell(yn_self *me);

/* Notes in the arena that the process `pid`, which was there after boot time `began`, is the watch. */
void yn_team_note_watch(yn_arena_shared *arena, pid_t pid, uint64_t began, uint32_t generation);

/* Sends the calling process's life descriptor to the watch for `claim`. Async-signal-safe; gives in *kept what has to
 * stay open (or -1). 0 or -errno. Waits while the watch's socket is full; starts a watch if there is none that would
 * read it, unless the caller only borrows its parent's memory, until its exec: then YUNTA_ENOWATCH. */
int yn_team_announce(yn_claim claim, int *kept, bool borrows_memory);

/* Where there are no pidfds: what this process holds until its end, so that its children do not. */
void yn_team_keep(int kept);

/* Sends a message, with a descriptor (or -1), in the same way. */
int yn_team_tell(const yn_news *news, int seen, bool borrows_memory);

/* The same for a child just forked, by its parent, who sees its life in `seen`: so that the child need not. False if it
 * could not be done; the child does it then. */
bool yn_team_announce_child(yn_self *me, yn_claim claim, pid_t pid, int seen);

/* Makes the watch read its socket now. Births need not be read before a death is: the descriptor waits in the socket,
 * and is waited on already. */
void yn_team_poke(void);

/* Elects who starts something that there is to be one of: writes our claim into *word, 0 or a dead one's until then.
 * False: somebody else is at it. To be set back to 0 afterwards. */
bool yn_team_elect(yn_self *me, _Atomic uint64_t *word);

/* Declares a process dead that has not gone live, and never will: its starter gives it up. False, and nothing done, if
 * it has, or is dead already. */
bool yn_team_bury(yn_self *me, yn_claim claim);

/* For who knows that a process has ended: from now on everybody finds it dead. The watch, which hears of it too, does
 * all the rest. */
void yn_team_declare_dead(yn_self *me, yn_claim claim);

#endif
