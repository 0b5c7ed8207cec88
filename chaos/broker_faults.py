# SPDX-License-Identifier: Apache-2.0
"""The list of the faults of the broker side, and the short form of all of them on one stack."""
import time

import broker_headers
import broker_letters
import broker_outages
import broker_replies
import evidence
import journal as journals
import judge
from broker_frame import RULES, Frame

FAULTS = [*broker_headers.FAULTS, *broker_replies.FAULTS, *broker_letters.FAULTS, *broker_outages.FAULTS]


def all_short(harness, options, _):
    """One result for each fault: all violations of its rules, waiting for events and judging no duration."""
    frame = Frame(harness, short=True)
    frame.up()
    rules = []
    for kind in FAULTS:
        if not kind.long_only and (not options.faults or options.faults in kind.name):
            begun = time.monotonic()
            rules.append(Result(kind, run_one(frame, kind, harness)))
            print(f"chaos: {kind.name}: {time.monotonic() - begun:.1f} s", flush=True)
    case = judge.Case(journals.read(harness.journal.path), evidence.NONE, {"idle_s": 0})
    return case, rules


def run_one(frame, kind, harness):
    """The violations. After some, the servers are started afresh, so that the next fault finds them in order."""
    try:
        case = judge.Case([], evidence.NONE, frame.run(kind(frame)))
        found = [f"{name}: {what}" for name, against in judge.judge(case, RULES) for what in against]
    except Exception as trouble:
        found = [repr(trouble)]
        print("chaos:", kind.name, dict(frame.worker.events()) if frame.worker else "", flush=True)
    if found:
        start_afresh(frame, harness)
    return found


def start_afresh(frame, harness):
    if frame.worker is not None and frame.worker.is_running():
        frame.worker.process.kill()
        frame.worker.process.wait()
    harness.stack.down()
    frame.up()


class Result:
    """A rule, named after the fault, that yields what was found. main.py stores it with the case."""

    def __init__(self, kind, found):
        self.__name__ = kind.name.replace("-", "_")
        self.found = found

    def __call__(self, _):
        yield from self.found
