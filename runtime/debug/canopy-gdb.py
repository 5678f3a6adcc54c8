"""Commands for gdb: what the blocks and streams of a Canopy program wait for.

    (gdb) source PREFIX/share/canopy/canopy-gdb.py
    (gdb) canopy-waits            every block that waits, and where (a backtrace); every stream that waits
    (gdb) canopy-waits brief      the same without backtraces

Works on a program that gdb has stopped, and on a core file; needs no debug information. It reads the notes of
runtime/device/wait_note.h, whose version it checks.
"""

import struct

import gdb
import gdb.unwinder

VERSION = 1

WORD_TESTS = ["", "equal to", "other than", "above", "at least", "below", "at most", "with a bit of",
              "with all bits of", "without a bit outside of"]
NOTIFY_TESTS = ["below", "equal to", "above", "at least", "with all bits of"]
VALUE_TESTS = ["at least (in signed distance)", "equal to", "with a bit of", "without a bit outside of"]
SQE_BYTES, SQE_BODY = 64, 24

# Where a fiber's registers lie below its saved stack pointer, as Boost.Context's switch leaves them, and how many
# bytes that is.
SAVED_REGISTERS = {
    "x86-64": ({"r12": 8, "r13": 16, "r14": 24, "r15": 32, "rbx": 40, "rbp": 48, "rip": 56}, 64, "rsp", "rip"),
    "aarch64": ({**{"x%d" % n: 64 + 8 * (n - 19) for n in range(19, 31)}, "pc": 160}, 176, "sp", "pc"),
}


def read(layout, address):
    """The numbers that lie at the address, by struct's letters; MemoryError's kin when nothing is there."""
    layout = "<" + layout
    return struct.unpack(layout, bytes(gdb.selected_inferior().read_memory(address, struct.calcsize(layout))))


def pointer(address):
    return read("Q", address)[0]


def text(address):
    return gdb.Value(address).cast(gdb.lookup_type("char").pointer()).string(errors="replace")


class FiberUnwinder(gdb.unwinder.Unwinder):
    """While it has registers, the innermost frame's caller is the fiber that they belong to."""

    def __init__(self):
        super().__init__("canopy-fiber")
        self.registers = None

    def __call__(self, pending):
        if self.registers is None or pending.level() != 0:
            return None
        _, _, stack, counter = SAVED_REGISTERS[self.architecture]
        frame = FrameId(gdb.Value(1).cast(pending.read_register(stack).type), pending.read_register(counter))
        info = pending.create_unwind_info(frame)
        for name, value in self.registers.items():
            info.add_saved_register(name, gdb.Value(value).cast(pending.read_register(name).type))
        return info

    def backtrace(self, context):
        """The frames of the parked fiber, innermost first."""
        self.architecture = next((a for a in SAVED_REGISTERS if a in gdb.selected_inferior().architecture().name()), None)
        if self.architecture is None:
            return ["no backtrace on this architecture"]
        offsets, size, stack, _ = SAVED_REGISTERS[self.architecture]
        self.registers = {name: pointer(context + offset) for name, offset in offsets.items()}
        self.registers[stack] = context + size
        frame_before = gdb.selected_frame()
        gdb.invalidate_cached_frames()
        try:
            return frames(gdb.newest_frame().older())
        finally:
            self.registers = None
            gdb.invalidate_cached_frames()
            if frame_before.is_valid():
                frame_before.select()


class FrameId:
    def __init__(self, sp, pc):
        self.sp = sp  # lower than any: callers must not seem to lie inside
        self.pc = pc


def frames(frame):
    lines = []
    while frame is not None and frame.pc() != 0 and len(lines) < 64:
        place = frame.find_sal()
        line = "%#x in %s" % (frame.pc(), frame.name() or "??")
        if place.symtab is not None:
            line += " at %s:%d" % (place.symtab.filename, place.line)
        elif gdb.solib_name(frame.pc()) is not None:
            line += " from %s" % gdb.solib_name(frame.pc())
        lines.append(line)
        frame = frame.older()
    return lines


def number(value, size, test, is_signed):
    value &= (1 << 8 * size) - 1
    if test >= 7:
        return "%#x" % value
    return str(value - (1 << 8 * size) if is_signed and value >> (8 * size - 1) else value)


def word_sentence(address, wanted, word):
    size, test, is_signed = word & 0xFF, word >> 8 & 0xFF, word >> 16
    if test == 0:
        return ""
    try:
        raw = bytes(gdb.selected_inferior().read_memory(address, size))
        now = "it is " + number(int.from_bytes(raw, "little"), size, test, is_signed)
    except gdb.MemoryError:
        now = "which cannot be read"
    return ": the word at %#x to be %s %s, %s" % (address, WORD_TESTS[test], number(wanted, size, test, is_signed), now)


def limit(nanoseconds):
    return "" if nanoseconds == 0 else ", for %g s at most" % (nanoseconds / 1e9)


def record(cell):
    return "" if pointer(cell) == 1 else ", which has not been made yet"


def stream_sentence(entry, notify_word, kinds):
    """What the task waits for; None when it does not wait."""
    kind = read("B", entry)[0]
    event_wait, timed_event_wait, notify_wait, value_wait, gate = kinds
    body = entry + SQE_BODY
    if kind == event_wait:
        cell, event = read("QI", body)
        return "the record of event %d%s" % (event, record(cell))
    if kind == timed_event_wait:
        _, most, cell, event = read("QQQI", body)
        return "the record of event %d%s%s" % (event, limit(most), record(cell))
    if kind == notify_wait:
        cell, what, most, notify, wanted, test = read("QQQIIB", body)
        return "%s %d to be %s %d%s, it is %d" % (text(what), notify, NOTIFY_TESTS[test], wanted, limit(most),
                                                  read("I", cell + notify_word)[0])
    if kind == value_wait:
        address, wanted, test = read("QQB", body)
        return "the word at %#x to be %s %#x, it is %#x" % (address, VALUE_TESTS[test], wanted, pointer(address))
    if kind == gate:
        return "the run of a model"
    return None


class Waits(gdb.Command):
    """canopy-waits [brief]: the blocks and streams that wait, for what, and where (without: brief)."""

    def __init__(self):
        super().__init__("canopy-waits", gdb.COMMAND_STACK)
        self.unwinder = FiberUnwinder()
        gdb.unwinder.register_unwinder(None, self.unwinder, replace=True)

    def invoke(self, argument, from_tty):
        if argument not in ("", "brief"):
            raise gdb.GdbError("canopy-waits [brief]")
        try:
            root = int(gdb.parse_and_eval("(unsigned long)&canopy_debug"))
        except gdb.error as error:
            raise gdb.GdbError("the program has no Canopy runtime: %s" % error)
        version, notify_word, fibers, strands, *kinds = read("IIQQ5B", root)
        if version != VERSION:
            raise gdb.GdbError("this script reads version %d, the program has %d: use the script that was installed "
                               "with it" % (VERSION, version))
        count = self.blocks(fibers, argument != "brief") + self.streams(strands, notify_word, kinds)
        if count == 0:
            print("no block and no stream waits")

    def blocks(self, note, with_frames):
        waits = []
        while note != 0:
            (note, _, context, parked, what, kernel, block, blocks, address, wanted, word) = read("6Q2I2QI", note)
            if what != 0 and kernel != 0:  # else no wait, or a stream's
                waits.append((text(kernel), block, blocks, text(what), word_sentence(address, wanted, word), context, parked))
        for kernel, block, blocks, what, word, context, parked in sorted(waits):
            print("kernel %s block %d of %d: waits for %s%s" % (kernel, block, blocks, what, word))
            if not with_frames:
                continue
            if read("B", parked)[0] == 0:
                print("  on a thread: see thread apply all backtrace")
                continue
            for level, line in enumerate(self.unwinder.backtrace(pointer(context))):
                print("  #%-2d %s" % (level, line))
        return len(waits)

    def streams(self, note, notify_word, kinds):
        waits = []
        while note != 0:
            (note, _, _, entries, submitted, completed, mask, device, stream) = read("6QIii", note)
            done = pointer(completed)
            if done < pointer(submitted):
                sentence = stream_sentence(entries + (done & mask) * SQE_BYTES, notify_word, kinds)
                if sentence is not None:
                    waits.append((device, stream, sentence))
        for wait in sorted(waits):
            print("device %d stream %d: waits for %s" % wait)
        return len(waits)


Waits()
