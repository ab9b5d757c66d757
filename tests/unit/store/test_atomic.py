"""Files and folders replaced whole, and what kills leave of them."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from brownout.store.atomic import atomic_path, write_text
from brownout.store.folders import finish_replacement, replaced_folder
from brownout.store.leftovers import remove_leftovers


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def fill(folder: Path, **texts: str) -> None:
    for name, text in texts.items():
        write_text(folder / name, text)


def aged(path: Path) -> Path:
    os.utime(path, (time.time() - 60, time.time() - 60))
    return path


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_text(tmp_path / "private", "x")
        os.umask(0o022)
        write_text(tmp_path / "public", "x")
    finally:
        os.umask(before)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("private", "public")] == [0o600, 0o644]


def test_a_writer_that_raises_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "old")
    with suppress(ZeroDivisionError), atomic_path(tmp_path / "a") as part:
        part.write_text("half" * (1 // 0))
    assert contents(tmp_path) == {"a": "old"}


def test_a_part_being_written_stays_and_that_of_a_dead_writer_goes(tmp_path: Path) -> None:
    dead = tmp_path / "history" / "samples" / ".2026.parquet.0a1b2c3d.part"
    dead.parent.mkdir(parents=True)
    dead.write_text("half")
    aged(dead)
    with atomic_path(tmp_path / "history" / "week") as part:
        part.write_text("half")
        aged(part)
        assert remove_leftovers(tmp_path) == (dead,)
        assert part.exists()
    assert contents(tmp_path) == {"history/week": "half"}


def test_files_of_the_user_beside_ours_stay(tmp_path: Path) -> None:
    mine = ["download.part", ".config.old", ".film.mkv.part", "music/.a.0a1b2c3d.part"]
    for name in mine:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        aged_file = tmp_path / name
        aged_file.write_text("mine")
        aged(aged_file)
    (tmp_path / ".settings.old").mkdir()
    assert remove_leftovers(tmp_path) == ()
    assert set(contents(tmp_path)) == set(mine)
    assert (tmp_path / ".settings.old").is_dir()


def test_a_folder_is_replaced_with_nothing_of_the_old_one_left(tmp_path: Path) -> None:
    model = tmp_path / "models" / "detector"
    for texts in ({"card": "1", "only_then": "x"}, {"card": "2"}):
        with replaced_folder(model) as new:
            fill(new, **texts)
    assert contents(tmp_path) == {"models/detector/card": "2"}
    assert [path.name for path in model.parent.iterdir()] == ["detector"]


def test_a_training_that_raises_leaves_the_old_model(tmp_path: Path) -> None:
    model = tmp_path / "models" / "detector"
    fill(model, card="old")
    with suppress(ZeroDivisionError), replaced_folder(model) as new:
        fill(new, card="half")
        fill(new, rest="x" * (1 // 0))
    assert contents(tmp_path) == {"models/detector/card": "old"}
    assert [path.name for path in model.parent.iterdir()] == ["detector"]


@pytest.mark.parametrize(
    ("left", "card"),
    [
        ({"m": "1", ".m.part": "half"}, "1"),
        ({"m": "1", ".m.new": "2"}, "2"),
        ({".m.old": "1", ".m.new": "2"}, "2"),
        ({"m": "2", ".m.old": "1"}, "2"),
        ({"m": "1", ".m.old": "0", ".m.new": "2"}, "2"),
        ({".m.old": "1"}, "1"),
        ({".m.old": "1", ".m.part": "half"}, "1"),
    ],
)
def test_each_state_that_a_kill_can_leave_ends_in_one_whole_model(
    tmp_path: Path, left: dict[str, str], card: str
) -> None:
    models = tmp_path / "models"
    for name, text in left.items():
        fill(models / name, card=text)
    assert remove_leftovers(tmp_path)
    assert contents(models) == {"m/card": card}
    assert not finish_replacement(models / "m")
    assert remove_leftovers(tmp_path) == ()


WRITERS = """
import os, sys
from pathlib import Path
from brownout.store.atomic import write_text
from brownout.store.folders import replaced_folder
out = Path(sys.argv[1])
for _ in sys.stdin:
    writer = os.fork()
    if writer:
        print(writer, flush=True)
        os.waitpid(writer, 0)
        print("gone", flush=True)
        continue
    for turn in range(10**9):
        with replaced_folder(out / "models" / "m") as new:
            for name in "abc":
                write_text(new / name, str(turn) * 2000)
            write_text(new / "inner" / "d", str(turn) * 2000)
        write_text(out / "history" / "file", str(turn) * 2000)
"""
"""A process that imports once, and forks a writer for each line that it is told."""


def test_killed_at_any_moment_the_folder_is_one_version_and_nothing_is_left(tmp_path: Path) -> None:
    draw = random.Random(11)
    left = []
    command = [sys.executable, "-c", WRITERS, tmp_path]
    writers = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    assert writers.stdin is not None
    assert writers.stdout is not None
    for _ in range(12):
        writers.stdin.write("one more\n")
        writer = int(writers.stdout.readline())
        time.sleep(draw.uniform(0.01, 0.12))
        os.kill(writer, signal.SIGKILL)
        assert writers.stdout.readline() == "gone\n"
        for path in tmp_path.rglob(".*.part"):
            aged(path)
        left.append(len(remove_leftovers(tmp_path)))
        model = contents(tmp_path / "models")
        assert set(model) in ({"m/a", "m/b", "m/c", "m/inner/d"}, set())
        assert len(set(model.values())) <= 1
        assert not [path for path in tmp_path.rglob(".*") if path.suffix in {".part", ".new", ".old"}]
    writers.communicate()
    assert sum(left) > 3  # the kills did hit writers at work
