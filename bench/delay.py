# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy that delays every packet, as if the server were further away.

    delay.py HOST:PORT MILLISECONDS

It delays each direction by MILLISECONDS, prints the port that it listens on, and runs until a signal ends it.
"""
import queue
import socket
import sys
import threading
import time

CHUNK = 1 << 20


def send_when_due(chunks, target):
    """Sends the chunks in order, each one when it is due. An empty chunk is the end of the stream."""
    while True:
        due, chunk = chunks.get()
        time.sleep(max(0.0, due - time.monotonic()))
        try:
            target.sendall(chunk)
            if not chunk:
                target.shutdown(socket.SHUT_WR)
                return
        except OSError:
            return


def pump(source, target, delay):
    """Reads from `source`, and has each chunk sent to `target` after `delay` seconds."""
    chunks = queue.SimpleQueue()
    threading.Thread(target=send_when_due, args=(chunks, target), daemon=True).start()
    chunk = b"."  # any text: an empty one ends the loop
    while chunk:
        try:
            chunk = source.recv(CHUNK)
        except OSError:
            chunk = b""
        chunks.put((time.monotonic() + delay, chunk))


def main(address, milliseconds):
    host, port = address.rsplit(":", 1)
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        near, _ = listener.accept()
        far = socket.create_connection((host, int(port)))
        for source, target in ((near, far), (far, near)):
            source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=pump, args=(source, target, float(milliseconds) / 1000), daemon=True).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
