import threading
import time
from collections.abc import Sequence

import pytest

from brownout.domain.errors import BrownoutError, DatabaseError
from brownout.probe.outbox import Outbox


def test_lines_are_written_together_in_order_and_all_by_the_end() -> None:
    batches: list[Sequence[str]] = []
    outbox = Outbox(batches.append, pytest.fail, together_s=0.05)
    for number in range(100):
        outbox.put([f"a {number}", f"b {number}"])
    outbox.close()
    assert [line for batch in batches for line in batch] == [f"{n} {i}" for i in range(100) for n in "ab"]
    assert len(batches) < 10


def test_whoever_is_slow_loses_the_oldest_lines_is_told_and_holds_nobody_up() -> None:
    told: list[BrownoutError] = []
    free = threading.Event()
    batches: list[Sequence[str]] = []

    def write(batch: Sequence[str]) -> None:
        batches.append(batch)
        free.wait(5)

    outbox = Outbox(write, told.append, together_s=0.0, most=10)
    outbox.put(["first"])
    while not batches:
        time.sleep(0.01)
    began = time.monotonic()
    for number in range(1000):
        outbox.put([str(number)])
    assert time.monotonic() - began < 1.0
    free.set()
    assert outbox.close() == 990
    assert batches[-1] == [str(number) for number in range(990, 1000)]
    assert "990 lines" in told[0].what


def test_a_database_that_refuses_loses_a_batch_and_not_the_next() -> None:
    told: list[BrownoutError] = []
    batches: list[Sequence[str]] = []

    def write(batch: Sequence[str]) -> None:
        if not told:
            raise DatabaseError("The server is full.", remedy="Make room.")
        batches.append(batch)

    outbox = Outbox(write, told.append, together_s=0.0)
    outbox.put(["lost"])
    while not told:
        time.sleep(0.01)
    outbox.put(["kept"])
    assert outbox.close() == 1
    assert batches == [["kept"]]


def test_a_pipe_without_a_reader_ends_it() -> None:
    gone = threading.Event()

    def write(_: Sequence[str]) -> None:
        raise BrokenPipeError

    outbox = Outbox(write, pytest.fail)
    outbox.when_broken(gone.set)
    outbox.put(["x"])
    assert gone.wait(5)
    outbox.close()


def test_what_a_server_that_hangs_did_not_take_is_counted() -> None:
    free = threading.Event()
    outbox = Outbox(lambda _: [free.wait(5)].clear(), pytest.fail, together_s=0.0)
    outbox.put(["a", "b"])
    assert outbox.close(0.2) == 2
    free.set()
