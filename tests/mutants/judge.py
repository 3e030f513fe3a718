"""Makes, builds and runs mutants of the core, and says which of them no test has noticed.
Never touches the sources: a mutant is compiled from a copy and linked in the place of its file. Next: operators.py, what is changed;
README.md, what can be found by what; SURVIVORS.md."""
import argparse
import collections
import glob
import hashlib
import itertools
import os
import re
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import operators

CORE = sorted(glob.glob("src/sync/*.c")) + ["src/shm/ring.c", "src/shm/slot.c"]
LIMIT = 10  # seconds for a test; what hangs is noticed, if it does not without the mutant
DEV, TSAN = "build/dev", "build/tsan"
RESULTS, SURVIVORS = "build/mutants/results.tsv", "tests/mutants/SURVIVORS.md"
# What tests a file beside the tests that bear its name, the quickest first; and what is long, for those that are left.
BESIDE = {
    "condition": "sync/test_eventcount sync/test_deadlock_threads",
    "dict": "data/test_dict data/test_limits data/test_threads",
    "heap": "shm/test_heap shm/test_heap_user shm/test_arena shm/test_shared shm/test_shared_limits",
    "listen": "comm/test_wait_many comm/test_queue_wait",
    "lock": "sync/test_owner_died sync/test_pid_reuse sync/test_deadlock_threads comm/test_wait_many sync/test_condition "
            "sync/test_deadlock",
    "once": "sync/test_barrier sync/test_thread_mark sync/test_limits sync/test_deadlock_threads",
    "recursive_lock": "sync/test_owner_died sync/test_thread_mark sync/test_rwlock sync/test_deadlock_threads sync/test_deadlock",
    "queue": "comm/test_queue comm/test_queue_loan comm/test_queue_store comm/test_queue_many comm/test_queue_wait "
             "comm/test_queue_dead_waiters comm/test_wait_many comm/test_queue_pains comm/test_queue_processes",
    "ring": "comm/test_queue comm/test_queue_many comm/test_queue_loan comm/test_queue_wait comm/test_queue_dead_waiters "
            "comm/test_queue_pains comm/test_queue_processes",
    "rwlock": "sync/test_owner_died sync/test_limits sync/test_deadlock",
    "semaphore": "sync/test_bounded_semaphore sync/test_limits sync/test_deadlock",
    "slot": "shm/test_self shm/test_arena sync/test_pid_reuse",
    "waits": "sync/test_deadlock_threads sync/test_deadlock sync/test_deadlock_moves sync/test_lock_look sync/test_semaphore_look",
    "wait": "sync/test_eventcount sync/test_listen sync/test_lock_death sync/test_nudge sync/test_nudge_wake_only comm/test_queue_wait "
            "sync/test_deadlock_threads sync/test_deadlock",
}
SCENES = {
    "barrier": "barrier barrier_disorder", "condition": "condition event event_work nudge", "once": "once", "latch": "latch latch_threads",
    "deadlock": "deadlock", "dict": "dict_nodes dict_slots dict_words", "heap": "heap queue_rings", "listen": "wait_many pipe_ways",
    "lock": "nudge lock lock_threads lock_newcomers deadlock deadlock_threads rwlock condition barrier wait_many",
    "queue": "queue_bounded queue_unbounded queue_rings queue_stores queue_rings_closed queue_stores_closed wait_many",
    "recursive_lock": "recursive_lock deadlock_threads", "ring": "queue_bounded queue_unbounded queue_rings queue_rings_closed",
    "rwlock": "rwlock deadlock_threads", "semaphore": "semaphore semaphore_threads signals deadlock_threads wait_many",
    "slot": "nudge lock_newcomers lock latch", "waits": "deadlock deadlock_threads",
    "wait": "nudge deadlock lock semaphore condition event barrier queue_bounded wait_many",
}
LONG = {
    "dict": "crash/test_data_kill crash/test_data_random",
    "heap": "crash/test_heap_kill crash/test_heap_random",
    "queue": "comm/test_queue_random crash/test_queue_kill crash/test_queue_batch_kill crash/test_queue_store_kill",
    "waits": "crash/test_deadlock_kill",
    "listen": "crash/test_wait_many_kill sync/test_nudge",
    "barrier": "crash/test_barrier_kill crash/test_primitives_random",
    "condition": "crash/test_condition_kill crash/test_primitives_random",
    "latch": "crash/test_latch_kill crash/test_primitives_random",
    "lock": "crash/test_lock_kill crash/test_lock_random",
    "ring": "comm/test_queue_random crash/test_queue_kill crash/test_queue_batch_kill",
    "rwlock": "crash/test_rwlock_kill crash/test_primitives_random",
    "semaphore": "crash/test_primitives_random",
    "slot": "crash/test_watch crash/test_watch_many",
    "wait": "crash/test_lock_kill crash/test_condition_kill crash/test_watch",
}
# Each in processes of its own that end with it, whatever they have started. Where that cannot be had, without.
ALONE = ["unshare", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"]
if subprocess.run([*ALONE, "true"], capture_output=True).returncode != 0:
    ALONE = []


def of_file(table, stem):
    """What the table says of the file, or of the first of those that have its first word."""
    return table.get(stem, table.get(stem.split("_")[0], "")).split()


def run(command, where=".", limit=120, **more):
    """Its exit status; 'hang' if it takes longer than the limit."""
    process = subprocess.Popen(command, cwd=where, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, start_new_session=True, **more)
    try:
        return process.wait(limit)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return "hang"


def flags(build, target):
    """The compiler's flags as the build has them, without what is only for people."""
    with open(f"{build}/CMakeFiles/{target}.dir/flags.make") as makefile:
        lines = dict(line.split(" = ", 1) for line in makefile if re.match("C_[A-Z]+ = ", line))
    words = shlex.split(" ".join(lines.get(name, "") for name in ("C_DEFINES", "C_INCLUDES", "C_FLAGS")))
    return [w for w in words if not re.match(r"-(W|g$|rdynamic)", w)] + ["-g0", "-w"]


def compiled(cc, options, source, output):
    """The object's bytes; None if the compiler refuses the source."""
    if run([cc, *options, "-c", os.path.basename(source), "-o", output], os.path.dirname(source)) != 0:
        return None
    with open(output, "rb") as object_file:
        return object_file.read()


class Judge:
    """Judges the mutants of one file, each in a folder of its own."""

    def __init__(self, name):
        self.name, self.stem = name, os.path.basename(name)[:-2]
        with open(name) as source:
            self.text = source.read()
        self.lock, self.sound, self.trusted = threading.Lock(), tempfile.TemporaryDirectory(prefix="mutant."), set()
        self.mutants = operators.mutants(name, self.text)
        self.plain, self.sim = flags(DEV, "yunta_objects"), flags(DEV, "yunta_sim_core")
        self.threads = flags(TSAN, "yunta_objects") if os.path.exists(TSAN + "/libyunta_testlib.a") else None
        own = sorted(t[6:-2] for folder in ("sync", "shm", "comm", "data") for t in glob.glob(f"tests/{folder}/test_{self.stem}*.c"))
        own.sort(key=lambda test: f'#include "{name[4:]}"' not in open(f"tests/{test}.c").read())  # those start nobody
        self.tests = list(dict.fromkeys(own + of_file(BESIDE, self.stem) + ["sync/test_no_memory", "sync/test_threads"]))
        self.long = of_file(LONG, self.stem)
        self.same = self.objects(self.sound.name, self.text)

    def objects(self, folder, text):
        """What the compilers make of it for two machines: for x86-64, and for one where more orders differ."""
        source = f"{folder}/{self.name[4:]}"
        os.makedirs(os.path.dirname(source), exist_ok=True)
        with open(source, "w") as copy:
            copy.write(text)
        x86 = compiled("cc", self.plain, source, f"{folder}/plain.o")
        arm = compiled("aarch64-linux-gnu-gcc", self.plain, source, f"{folder}/arm.o") if x86 is not None else None
        return x86, arm

    def linked(self, build, target, folder, kind, options):
        """Links a program of the build anew, with the folder's source before the library, or in its object's place."""
        mutant, source, program = f"{folder}/{kind}.o", f"{folder}/{self.name[4:]}", f"{folder}/{kind}.{target}"
        if os.path.exists(program):
            return program
        if not os.path.exists(mutant) and compiled("cc", options, source, mutant) is None:
            raise RuntimeError(f"does not compile for {target}")
        with open(f"{build}/CMakeFiles/{target}.dir/link.txt") as recipe:
            words = shlex.split(recipe.read())
        at = words.index("-o")
        words[at + 1] = program
        core = f"CMakeFiles/yunta_sim_core.dir/{self.name}.o"
        others = [mutant if w == core else w for w in words] if core in words else words[:at] + [mutant] + words[at:]
        if run(others, build) != 0:  # the test includes the file itself
            objects = [w for w in words if w.endswith(".c.o")]
            test = os.path.abspath(objects[0].split(".dir/")[1][:-2])
            if compiled("cc", ["-I", folder, *flags(build, target)], test, f"{folder}/test.o") is None:
                return "false"
            if run([f"{folder}/test.o" if w in objects else w for w in words], build) != 0:
                raise RuntimeError(f"{target} does not link")
        return program

    def tsan_tests(self):
        """Programs that are meant for ThreadSanitizer, as far as they are built."""
        for test in dict.fromkeys(["sync/test_threads", *self.tests, "comm/test_topic", "pool/test_threads"]):
            target = test.replace("/test_", "_")
            if os.path.exists(f"{TSAN}/tests/test_{target}"):
                with open(f"tests/{test}.c") as source:
                    if re.search("labels:.*threads", source.read()):
                        yield f"test_{target}"

    def attempts(self, is_same_code, is_long):
        """(what, how to link it in a folder, its arguments) of all that might notice it, the quickest first."""
        def test_of(name):
            target = "test_" + name.replace("/test_", "_")
            return name.replace("/test_", "."), lambda folder: self.linked(DEV, target, folder, "plain", self.plain), []

        def simulated(scene, first, count):
            return (f"sim.{scene}", lambda folder: self.linked(DEV, "sim", folder, "sim", self.sim),
                    ["--scene", scene, "--from", str(first), "--schedules", str(count)])

        scenes = of_file(SCENES, self.stem)
        yield from (simulated(scene, 0, 5000) for scene in scenes)
        if not is_same_code:
            yield from (test_of(test) for test in self.tests
                        if os.path.exists(f"{DEV}/tests/test_{test.replace('/test_', '_')}"))
        yield from (simulated(scene, 5000, 20000) for scene in scenes)
        if self.threads and (is_long or is_same_code):
            for target in itertools.islice(self.tsan_tests(), None if is_long else 1):
                yield ("tsan." + target[5:],
                       lambda folder, target=target: self.linked(TSAN, target, folder, "threads", self.threads), [])
        if is_long:
            yield from (test_of(test) for test in self.long if not is_same_code)
            yield from (simulated(scene, 25000, 200000) for scene in scenes or ["lock", "condition", "queue_bounded"])

    def is_noticed(self, attempt, folder, limit):
        """Whether it fails with the mutant in the folder, as it does not without it. Who hangs is compared each time, for
        the machine may be slow; and if that one was slow, it is asked again with more time."""
        (what, link, arguments), noisy = attempt, "halt_on_error=1:handle_segv=0:die_after_fork=0"

        def ends(where):
            return run([*ALONE, link(where), *arguments], where, limit, env=dict(os.environ, TSAN_OPTIONS=noisy))

        while (status := ends(folder)) != 0:
            with self.lock:
                began, name = time.monotonic(), " ".join([what, *arguments])
                if status != "hang" and name in self.trusted:
                    return True
                without = ends(self.sound.name)
                if without == 0 and (status != "hang" or time.monotonic() - began < limit / 2):
                    self.trusted.add(name)
                    return True
            if without not in (0, "hang") or limit > 1000:
                raise RuntimeError(f"{name}: fails without a mutant too: {without}")
            limit *= 4
        return False

    def judge(self, mutant, known, is_long):
        """(verdict, by what, digest of its code)"""
        with tempfile.TemporaryDirectory(prefix="mutant.") as folder:
            made = self.objects(folder, self.text[:mutant.start] + mutant.new + self.text[mutant.end:])
            if made[0] is None:
                return "refused", "-", "-"
            if made == self.same:
                return "same", "-", "-"
            digest = hashlib.sha1(repr(made).encode()).hexdigest()[:12]
            if known(digest, mutant.number):
                return "twin", "-", digest
            for attempt in self.attempts(made[0] == self.same[0], is_long):
                if self.is_noticed(attempt, folder, LIMIT * (8 if is_long else 1)):
                    return "killed", attempt[0], digest
            return "survived", "-", digest


class Ledger:
    """build/mutants/results.tsv: a line for each mutant judged; the last one counts."""

    def __init__(self):
        self.lines, self.lock, self.digests = {}, threading.Lock(), {}
        os.makedirs(os.path.dirname(RESULTS), exist_ok=True)
        if os.path.exists(RESULTS):
            with open(RESULTS) as results:
                for line in results:
                    number, verdict, by, digest = line.rstrip("\n").split("\t")[:4]
                    self.lines[number] = (verdict, by)
                    self.digests.setdefault(digest, number)

    def is_twin(self, digest, number):
        with self.lock:
            return self.digests.setdefault(digest, number) != number

    def write(self, mutant, verdict, by, digest):
        with self.lock, open(RESULTS, "a") as results:
            self.lines[mutant.number] = (verdict, by)
            print(mutant.number, verdict, by, digest, mutant.kind, mutant.function, mutant.old_line, mutant.new_line,
                  sep="\t", file=results)


def explained():
    """{what is shown of a mutant: the title under which SURVIVORS.md has it}"""
    found, title = {}, ""
    if os.path.exists(SURVIVORS):
        with open(SURVIVORS) as survivors:
            for line in survivors:
                if line.startswith("## "):
                    title = line[3:].strip()
                elif line.startswith("    src/"):
                    found[" ".join(line.split())] = title
    return found


def shown(name, mutant):
    return f"{name} {mutant.function}: {mutant.old_line} ==> {mutant.new_line}"


def report(judges, ledger, chosen):
    """Prints the tables and the survivors. The share of the mutants that were killed, of those that are any."""
    titles, rows = explained(), collections.defaultdict(collections.Counter)
    for judge in judges:
        for mutant in judge.mutants:
            verdict, _ = ledger.lines.get(mutant.number, (None, None)) if mutant.number in chosen else (None, None)
            if verdict == "survived":
                title = titles.get(" ".join(shown(judge.name, mutant).split()), "")
                verdict = "equivalent" if title.startswith("Equivalent") else "survived"
                if verdict == "survived":
                    print(f"{judge.name}:{mutant.line}: {mutant.number} {mutant.kind}: {title or 'not explained'}\n"
                          f"    {shown(judge.name, mutant)}")
            for row in (judge.name, mutant.kind, "all"):
                rows[row][verdict] += verdict is not None
    print(f"{'':28}{'mutants':>9}{'killed':>9}{'survived':>9}{'killed of them':>16}{'equivalent':>12}{'no mutants':>12}")
    for name, row in sorted(rows.items(), key=lambda r: (r[0] == "all", not r[0].startswith("src"), r[0])):
        count = row["killed"] + row["survived"]
        share = f"{100 * row['killed'] / count:.1f} %" if count else "-"
        print(f"{name:28}{count:9}{row['killed']:9}{row['survived']:9}{share:>16}{row['equivalent']:12}"
              f"{row['same'] + row['twin'] + row['refused']:12}")
    every = rows["all"]["killed"] + rows["all"]["survived"]
    return rows["all"]["killed"] / every if every else 1


def main():
    parser = argparse.ArgumentParser(prog="scripts/mutants", description="Mutants of the core, and which no test notices.")
    parser.add_argument("files", nargs="*", help="sources to be mutated, instead of the core")
    parser.add_argument("--sample", type=int, help="so many mutants only")
    parser.add_argument("--seed", default="0", help="which ones, and in which order")
    parser.add_argument("--seconds", type=float, default=1e9, help="begin no mutant after so long; the next run goes on")
    parser.add_argument("--kinds", help="of these only, as compare,drop")
    parser.add_argument("--again", action="store_true", help="judge the survivors once more")
    parser.add_argument("--long", action="store_true", help="by the long tests too: ThreadSanitizer, kills at each instruction")
    parser.add_argument("--report", action="store_true", help="only show what is known")
    parser.add_argument("--least", type=float, default=0, help="fail below so many per cent")
    parser.add_argument("--one", metavar="NUMBER", help="show one mutant, and what notices it")
    parser.add_argument("--jobs", type=int, default=int(os.environ.get("JOBS", os.cpu_count())))
    o = parser.parse_args()
    began, ledger = time.monotonic(), Ledger()
    judges = [Judge(name) for name in o.files or CORE]
    all_of_them = [(judge, m) for judge in judges for m in judge.mutants
                   if not o.kinds or m.kind in o.kinds.split(",")]
    all_of_them.sort(key=lambda jm: hashlib.sha1((o.seed + jm[1].number).encode()).digest())
    if o.one:
        for judge, mutant in all_of_them:
            if mutant.number == o.one:
                print(shown(judge.name, mutant), *judge.judge(mutant, lambda *_: False, True))
        return 0
    chosen = {m.number for _, m in all_of_them[:o.sample]}

    def one(judge, mutant):
        if time.monotonic() - began < o.seconds:
            ledger.write(mutant, *judge.judge(mutant, ledger.is_twin, o.long))

    if not o.report:
        wanted = [(j, m) for j, m in all_of_them if m.number in chosen and
                  (ledger.lines.get(m.number, ("",))[0] == "survived" if o.again else m.number not in ledger.lines)]
        with ThreadPoolExecutor(o.jobs) as pool:
            for done in [pool.submit(one, *jm) for jm in wanted]:
                done.result()
    share = report(judges, ledger, chosen)
    left = len([number for number in chosen if number not in ledger.lines])
    print(f"{left} not yet judged")
    return 0 if 100 * share >= o.least else 1


if __name__ == "__main__":
    sys.exit(main())
