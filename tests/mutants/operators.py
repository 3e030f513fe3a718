"""The mutants of a C file: each is the file with one thing changed on one line.
Reads text, not C: it relies on the layout that scripts/format gives. Next: judge.py, which builds and runs them."""
import hashlib
import re
from collections import namedtuple

# start, end: what of the text is replaced; new: by what, with as many line ends; function, old_line, new_line: to be shown.
Mutant = namedtuple("Mutant", "number kind line function start end new old_line new_line")

SWAPS = {
    "compare": {"==": "!=", "!=": "==", "<": "<=", "<=": "<", ">": ">=", ">=": ">"},
    "arithmetic": {"+": "-", "-": "+", "+=": "-=", "-=": "+=", "<<": ">>", ">>": "<<", "%": "/", "/": "*"},
    "logic": {"&&": "||", "||": "&&"},
    "bits": {"&": "|", "|": "&", "&=": "|=", "|=": "&="},
}
SYNCHRONISING = re.compile(r"memory_order_(?:acquire|release|acq_rel|seq_cst)\b")
ATOMIC = re.compile(r"\batomic_(load|store|exchange|fetch_\w+?|compare_exchange_\w+?)\(")
HEADER = re.compile(r"\s*(?:else\s+)?(?:if|while|for|switch)\s*(?=\()|\s*(?:else|do)\b(?!\s*(?:if|while|for)\b)")
ACTION = re.compile(r"(?:\(void\))?(?:\+\+|--)?[*(]*\w[\w\[\]>.\-()]*?(?:\(|\s*(?:[+\-|&^]|<<|>>)?=\s|\+\+$|--$)")
NO_ACTION = re.compile(r"(?:return|goto|break|continue|case|default|else|if|while|for|do|sizeof|yn_assert)\b")


def blank(text):
    """The same text with spaces for what is no code: comments, strings, the preprocessor's lines."""
    no_code = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|^#(?:[^\n\\]|\\.)*", re.S | re.M)
    return no_code.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def bodies(code):
    """(name, start, end) of each function: from { to } in the first column."""
    for found in re.finditer(r"^\{$.*?^\}$", code, re.S | re.M):
        head = code[:found.start()].rstrip().rsplit("\n\n", 1)[-1]
        names = re.findall(r"(\w+)\((?!\()", head)
        if names and head.endswith(")"):
            yield [n for n in names if not n.startswith(("YN_", "_"))][0], found.start() + 1, found.end() - 1


def closing(code, at):
    """Where the parenthesis closes that opens at `at`."""
    depth = 0
    for i in range(at, len(code)):
        depth += (code[i] == "(") - (code[i] == ")")
        if depth == 0:
            return i
    raise ValueError("a parenthesis that does not close")


def statements(code, start, end):
    """(start, end) of each simple statement, without what it depends on: `if (…)`, `else`."""
    begin, depth = start, 0
    for i in range(start, end):
        depth += (code[i] == "(") - (code[i] == ")")
        if depth != 0 or code[i] not in ";{}":
            continue
        if code[i] == ";":
            while header := HEADER.match(code, begin, i):
                begin = header.end()
                if begin < i and code[begin] == "(":
                    begin = closing(code, begin) + 1
            if begin < i:
                yield begin + len(code[begin:i]) - len(code[begin:i].lstrip()), i + 1
        begin = i + 1


def swaps(code, start, end):
    for kind, table in SWAPS.items():
        for found in re.compile(r"(?<= )(\S{1,2})(?= )").finditer(code, start, end):
            if found.group() in table:
                yield kind, found.start(), found.end(), table[found.group()]


def conditions(code, start, end):
    for found in re.compile(r"\b(?:if|while) (?=\()").finditer(code, start, end):
        last = closing(code, found.end())
        yield "condition", found.end(), last + 1, "(!" + code[found.end():last + 1] + ")"


def orders(code, start, end):
    for found in SYNCHRONISING.finditer(code, start, end):
        yield "order", found.start(), found.end(), "memory_order_relaxed"
    for found in ATOMIC.finditer(code, start, end):
        last = closing(code, found.end() - 1)
        how = ", memory_order_relaxed" * (2 if "compare" in found.group() else 1)
        if not found.group().endswith("explicit("):
            yield "order", found.start(), last, found.group()[:-1] + "_explicit(" + code[found.end():last] + how


def drops(code, start, end):
    for begin, after in statements(code, start, end):
        if ACTION.match(code[begin:after]) and not NO_ACTION.match(code[begin:after]):
            yield "drop", begin, after, ";"


def constants(code, start, end):
    for found in re.compile(r"(?<![\w.])(\d+)([uUlL]*)\b(?!\.)").finditer(code, start, end):
        value = int(found.group(1))
        yield "constant", found.start(), found.end(), str(0 if value == 1 else value + 1) + found.group(2)


def results(code, start, end):
    for found in re.compile(r"\breturn ([^;]+);").finditer(code, start, end):
        value = found.group(1)
        new = {"true": "false", "false": "true", "0": "-EINVAL"}.get(value, "0")
        yield "result", found.start(1), found.end(1), new


def mutants(name, text):
    """All mutants of the file, in the order of its lines. Their numbers depend on what they change, not on where it is."""
    code, seen, all_of_them = blank(text), {}, []
    for function, start, end in bodies(code):
        for make in (swaps, conditions, orders, drops, constants, results):
            for kind, begin, after, new in make(code, start, end):
                if kind == "condition":  # from the text, where strings are
                    new = "(!" + text[begin:after] + ")"
                new += "\n" * (text[begin:after].count("\n") - new.count("\n"))
                first = text.rfind("\n", 0, begin) + 1
                last = text.find("\n", after)
                old_line = " ".join(text[first:last].split())
                new_line = " ".join((text[first:begin] + new + text[after:last]).split())
                what = (name, function, old_line, new_line)
                seen[what] = seen.get(what, 0) + 1
                number = hashlib.sha1(repr((what, seen[what])).encode()).hexdigest()[:8]
                line = text.count("\n", 0, begin) + 1
                all_of_them.append(Mutant(number, kind, line, function, begin, after, new, old_line, new_line))
    return sorted(all_of_them, key=lambda m: (m.line, m.start, m.new))
