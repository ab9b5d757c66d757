"""``python -m lab.echo ADDRESS``: what Telegraf's ping input would write of a path, every two seconds."""

import contextlib
import os
import select
import socket
import statistics
import struct
import sys
import time

EVERY_S, COUNT, PATIENCE_S = 2.0, 5, 1.0
REQUEST, REPLY = 8, 0


def main() -> None:
    """Print a line a round, until nobody reads it."""
    address = sys.argv[1]
    number = 0
    with (
        contextlib.suppress(BrokenPipeError),
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as end,
    ):
        while True:
            began = time.time()
            times = []
            for _ in range(COUNT):
                number = (number + 1) % 65536
                times += answer(end, address, number)
                time.sleep(EVERY_S / COUNT / 4)
            sys.stdout.write(f"{line(address, times)} {int(began * 1e9)}\n")
            sys.stdout.flush()
            time.sleep(max(0.0, began + EVERY_S - time.time()))


def answer(end: socket.socket, address: str, number: int) -> list[float]:
    """Milliseconds until the answer to a request; empty where none comes."""
    end.sendto(packet(number), (address, 0))
    sent = time.monotonic()
    while select.select([end], [], [], max(0.0, sent + PATIENCE_S - time.monotonic()))[0]:
        got = end.recv(1024)
        kind, _, _, who, what = struct.unpack("!BBHHH", got[20:28])
        if (kind, who, what) == (REPLY, os.getpid() & 0xFFFF, number):
            return [1000 * (time.monotonic() - sent)]
    return []


def packet(number: int) -> bytes:
    """An echo request (RFC 792)."""
    own = os.getpid() & 0xFFFF
    body = struct.pack("!BBHHH", REQUEST, 0, 0, own, number) + b"brownout"
    total = sum(struct.unpack("!8H", body))
    total = (total >> 16) + (total & 0xFFFF)
    return struct.pack("!BBHHH", REQUEST, 0, ~(total + (total >> 16)) & 0xFFFF, own, number) + b"brownout"


def line(address: str, times: list[float]) -> str:
    """As Telegraf has it: without answers there are no times."""
    lost = 100 * (1 - len(times) / COUNT)
    fields = f"packets_transmitted={COUNT}i,packets_received={len(times)}i,percent_packet_loss={lost}"
    fields += f",result_code={int(not times)}i"
    if times:
        fields += f",minimum_response_ms={min(times)},average_response_ms={statistics.fmean(times)}"
        fields += f",maximum_response_ms={max(times)},standard_deviation_ms={statistics.pstdev(times)},ttl=64i"
    return f"ping,host=users,url={address} {fields}"


if __name__ == "__main__":
    main()
