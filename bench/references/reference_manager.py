#!/usr/bin/env python3
# Python's Manager().dict(): a dict in a process of its own, asked through a socket. Nothing of yunta is here.
# Must never print anything but figures.
# Read next: ../lib/aside.h, how a benchmark asks for them.
import multiprocessing
import os
import struct
import time

CALLS = 2000


def measure(manager, keys):
    entries = manager.dict()
    names = [i if keys == "int" else "user-%d" % i for i in range(1000)]
    for i, name in enumerate(names):
        entries[name] = i
    begin = time.perf_counter_ns()
    for i in range(CALLS):
        assert entries[names[i % 1000]] == i % 1000
    got = time.perf_counter_ns()
    for i in range(CALLS):
        entries[names[i % 1000]] = i % 1000
    end = time.perf_counter_ns()
    return (got - begin) / CALLS, (end - got) / CALLS, 0.0, 0.0


def main():
    orders, answers = os.dup(0), os.dup(1)
    for used, kept in ((0, os.O_RDONLY), (1, os.O_WRONLY)):  # else the manager's process holds them open
        null = os.open(os.devnull, kept)
        os.dup2(null, used)
        os.close(null)
    with multiprocessing.Manager() as manager:
        while len(order := os.read(orders, 32)) == 32:
            keys = order.rstrip(b"\0").decode().rpartition(" ")[2]
            os.write(answers, struct.pack("4d", *measure(manager, keys)))


if __name__ == "__main__":
    main()
