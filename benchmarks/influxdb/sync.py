"""A whole sync from a real InfluxDB 1.x beside the server's own time for the same queries, and its memory.

Needs ``influxd`` (apt install influxdb). A simulated fleet is written as Telegraf would, then ``brownout sync`` reads
all of it in a process of its own; then the queries that it asked are asked again one after the other and the answers
thrown away. Prints a Markdown table.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests" / "integration")]

from influx import PASSWORD, Influx, influxd  # noqa: E402

from brownout.adapters.influx.http import Ask, HttpServer  # noqa: E402
from brownout.bootstrap import clock, sync_history  # noqa: E402
from brownout.domain.ports import no_progress  # noqa: E402
from brownout.operate.fill import fill, start_for  # noqa: E402
from brownout.settings import load_settings  # noqa: E402
from brownout.simulation import FleetSettings, simulate  # noqa: E402

NAME = "fleet"
TICKS = os.sysconf("SC_CLK_TCK")


def arguments() -> argparse.Namespace:
    """How large the fleet is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=4)
    parser.add_argument("--vms", type=int, default=23)
    parser.add_argument("--days", type=float, default=14)
    parser.add_argument("--interval", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def written(server: Influx, asked: argparse.Namespace) -> int:
    """Lines of a fleet that ends now."""
    start = start_for(clock(), asked.days, asked.interval)
    settings = FleetSettings(
        hosts=asked.hosts,
        vms=asked.vms,
        days=asked.days,
        interval_s=asked.interval,
        seed=1,
        start=start,
        signatures=True,
    )
    return fill(server.database(NAME), simulate(settings))


def config(server: Influx, asked: argparse.Namespace, folder: Path) -> Path:
    """Settings that read all of it."""
    path = folder / "site.toml"
    path.write_text(
        f'[influxdb]\nurl = "{server.url}"\ndatabase = "{NAME}"\nuser = "admin"\nhistory_days = {asked.days + 0.1}\n'
    )
    return path


def synced(settings: Path, out: Path) -> dict[str, float]:
    """Seconds, seconds of processor and peak memory of ``brownout sync`` in a process of its own."""
    script = (
        "import json, re, resource, sys, time; from pathlib import Path; begun = time.perf_counter()\n"
        "from brownout.bootstrap import sync_history; from brownout.domain.ports import no_progress\n"
        "from brownout.settings import load_settings\n"
        "result = sync_history(load_settings(Path(sys.argv[1])), Path(sys.argv[2]), no_progress)\n"
        "used = resource.getrusage(resource.RUSAGE_SELF); peak = Path('/proc/self/status').read_text()\n"
        "peak = int(re.search(r'VmHWM:\\s+(\\d+)', peak)[1]) / 1024\n"
        "print(json.dumps({'rows': result.rows, 'seconds': time.perf_counter() - begun, "
        "'processor': used.ru_utime + used.ru_stime, 'mib': peak}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(settings), str(out)], capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def queries(settings: Path, out: Path) -> tuple[HttpServer, list[Ask]]:
    """The long queries of a sync, in order, and the server that they went to."""
    seen: list[tuple[HttpServer, Ask]] = []
    real = HttpServer.stream

    def noted(self: HttpServer, ask: Ask, *rest: Any) -> Any:
        seen.append((self, ask))
        return real(self, ask, *rest)

    HttpServer.stream = noted  # type: ignore[method-assign]
    try:
        sync_history(load_settings(settings), out, no_progress)
    finally:
        HttpServer.stream = real  # type: ignore[method-assign]
    return seen[0][0], [ask for _, ask in seen]


def asked_again(server: HttpServer, asks: Iterable[Ask]) -> tuple[float, int]:
    """Seconds and bytes of the same answers, thrown away."""
    begun, size = time.perf_counter(), 0
    for ask in asks:
        size += server.stream(ask, lambda pieces: sum(map(len, pieces)))
    return time.perf_counter() - begun, size


def processor_s(name: str = "influxd") -> float:
    """Seconds of processor of the youngest process of a name."""
    stats = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text()
        except OSError:
            continue
        if f"({name})" in text:
            fields = text.rpartition(")")[2].split()
            stats.append((int(fields[19]), (int(fields[11]) + int(fields[12])) / TICKS))
    return max(stats)[1]


def main() -> None:
    """Write, sync, ask again."""
    asked = arguments()
    os.environ["BROWNOUT_INFLUXDB_PASSWORD"] = PASSWORD
    with tempfile.TemporaryDirectory() as text, influxd(Path(text)) as server:
        folder = Path(text)
        lines = written(server, asked)
        settings = config(server, asked, folder)
        entities = 5 * asked.hosts + 2 * asked.vms
        print(f"{entities} entities, {asked.days:g} days at {asked.interval} s, {lines:,} lines\n")
        own, asks = queries(settings, folder / "warm")
        print("| run | s | processor s | influxd's processor s | peak MiB |\n|---|---|---|---|---|", flush=True)
        ratios = []
        for number in range(asked.rounds):
            before = processor_s()
            sync = synced(settings, folder / f"out{number}")
            between = processor_s()
            seconds, size = asked_again(own, asks)
            alone = processor_s() - between
            ratios.append(sync["seconds"] / seconds)
            served = between - before
            print(f"| sync | {sync['seconds']:.1f} | {sync['processor']:.1f} | {served:.1f} | {sync['mib']:.0f} |")
            print(f"| the server alone, {size / 1e6:,.0f} MB | {seconds:.1f} | | {alone:.1f} | |", flush=True)
        print(f"\nSync takes {np.median(ratios):.2f} times the server's own time ({len(asks)} queries).")


if __name__ == "__main__":
    main()
