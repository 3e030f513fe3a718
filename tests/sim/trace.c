/* What happened in one schedule, access by access, with the line of the source that did it: for sim --trace.
 * Costs nothing unless it is asked for.
 * Next: main.c. */
#include "machine.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

bool sim_traces;

typedef struct trace_line {
    int thread;
    char what[48];
    uint64_t at, value;
    const void *pc;
} trace_line;

static trace_line *lines;
static size_t count, room;

static trace_line *next_line(void)
{
    if (count == room) {
        room = room ? 2 * room : 4096;
        lines = realloc(lines, room * sizeof *lines);
        if (!lines)
            abort();
    }
    lines[count] = (trace_line){.thread = sim.current ? (int)(sim.current - sim.thread) : -1};
    return &lines[count++];
}

void sim_trace(const char *what, const void *at, uint64_t value, const void *pc)
{
    trace_line *line = next_line();
    snprintf(line->what, sizeof line->what, "%s", what);
    line->at = (uintptr_t)at - sim_base;
    line->value = value;
    line->pc = pc;
}

void sim_trace_note(const char *format, ...)
{
    trace_line *line = next_line();
    va_list list;
    va_start(list, format);
    vsnprintf(line->what, sizeof line->what, format, list);
    va_end(list);
}

/* The frames of functions inlined into one another, from the inside out; a line of address 0 ends them. */
static void read_place(FILE *names, char *text, size_t size)
{
    char name[200], file[200];
    text[0] = '\0';
    while (names && fgets(name, sizeof name, names) && fgets(file, sizeof file, names) && name[0] != '?') {
        name[strcspn(name, "\n")] = file[strcspn(file, "\n")] = '\0';
        const char *parts[] = {text[0] ? " < " : "", name, " ", file};
        for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
            strncat(text, parts[i], size - strlen(text) - 1);
    }
}

/* By binutils' addr2line; without it, no names. */
static void print_lines(size_t from, size_t end)
{
    char command[64 + 100 * 24], text[400];
    int at = snprintf(command, sizeof command, "addr2line -i -f -s -e /proc/%d/exe 2>&1", (int)getpid());
    for (size_t i = from; i < end; i++)
        if (lines[i].pc)
            at += snprintf(command + at, sizeof command - (size_t)at, " %#lx 0", (unsigned long)lines[i].pc - 1);
    FILE *names = popen(command, "r");
    for (size_t i = from; i < end; i++) {
        const trace_line *l = &lines[i];
        if (l->pc) {
            read_place(names, text, sizeof text);
            printf("%3d %-14s %8llx %16llx  %s\n", l->thread, l->what, (unsigned long long)l->at,
                   (unsigned long long)l->value, text);
        } else {
            printf("--- %s\n", l->what);
        }
    }
    if (names)
        pclose(names);
}

void sim_trace_print(void)
{
    for (size_t i = 0; i < count; i += 100)
        print_lines(i, count - i < 100 ? count : i + 100);
    count = 0;
}
