# SPDX-License-Identifier: Apache-2.0
"""The journal: one JSON object per line, on the disk before the run acts on it."""
import json
import os
import threading
import time


def now_ms():
    return time.time_ns() // 1_000_000


class Journal:
    def __init__(self, path):
        self.path = path
        self.file = open(path, "a", encoding="utf-8")
        self.write_lock = threading.Lock()
        self.sync_lock = threading.Lock()
        self.written = 0
        self.synced = 0
        self.listeners = []

    def note(self, kind, **fields):
        self.note_all([dict(fields, t=kind)])

    def note_all(self, records):
        """Returns once all records are on the disk; one fsync serves all threads that wait."""
        with self.write_lock:
            for record in records:
                record["at"] = now_ms()
                self.file.write(json.dumps(record) + "\n")
                for listen in self.listeners:
                    listen(record)
            self.file.flush()
            self.written += len(records)
            mine = self.written
        with self.sync_lock:
            if self.synced >= mine:
                return
            with self.write_lock:
                target = self.written
            os.fsync(self.file.fileno())
            self.synced = target

    def close(self):
        self.file.close()


def read(path):
    with open(path, encoding="utf-8") as file:
        return [dict(json.loads(line), line=number) for number, line in enumerate(file, 1)]
