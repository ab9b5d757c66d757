"""Alarms of a healthy fleet whose guests migrate and whose hosts are maintained: how many, and how many of them near.

    python benchmarks/detection/migrations.py [--seed 501] [--migrations 30] [--maintenance 3]

8 hosts, 40 guests, 10 days at 5 min; the product's own episodes, night after night, and what an investigation leaves of
them. An alarm is near an event when it begins from half an hour before the event's start until a day after its end at
the guest, or until an hour after it at one of the hosts.
"""

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from brownout.domain.entities import Topology
from brownout.domain.findings import UNKNOWN, Episode
from brownout.domain.truth import Event
from brownout.evaluate.own_nights import own_nights
from brownout.evaluate.replay import nights_of
from brownout.settings import Settings
from brownout.simulation import FleetSettings
from brownout.simulation.fleet import plan_fleet
from brownout.simulation.fleet_dataset import stream_dataset
from brownout.store.dataset import Dataset

HOUR = np.timedelta64(3_600_000, "ms")


def near(episode: Episode, events: Sequence[Event], topology: Topology) -> bool:
    """Whether an episode begins where and when something was done."""
    names = {episode.entity, *topology.ancestors(episode.entity, episode.start)}
    return any(
        event.start - HOUR / 2 <= episode.start
        and (
            (event.entity in names and episode.start <= event.end + 24 * HOUR)
            or (names & {event.source, event.target} and episode.start <= event.end + HOUR)
        )
        for event in events
    )


def measure(folder: Path, events: Sequence[Event]) -> dict[str, object]:
    """Counts of episodes, alarms and causes of a data set."""
    dataset, settings = Dataset.open(folder), Settings()
    nights = tuple(nights_of(dataset, settings, None))
    own = own_nights(dataset, settings, nights)
    alarms = own.alarmed
    watched = [event for event in events if event.start >= nights[0].window]
    guests = sum(entity.kind == "vm" for entity in dataset.topology)
    causes = Counter(diagnosis.top.id for diagnosis in own.diagnoses)
    return {
        "events": len(watched),
        "guest_days": round(guests * float((nights[-1].end - nights[0].window) / (24 * HOUR))),
        "alarms": len(alarms),
        "alarms_near_events": sum(near(episode, watched, dataset.topology) for episode in alarms),
        "alarms_by_kind": dict(Counter(dataset.topology[episode.entity].kind for episode in alarms)),
        "incidents": sum(causes.values()),
        "incidents_given_a_cause": sum(number for cause, number in causes.items() if cause != UNKNOWN),
    }


def main() -> None:
    """Print the counts as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=501)
    parser.add_argument("--migrations", type=int, default=30)
    parser.add_argument("--maintenance", type=int, default=3)
    given = parser.parse_args()
    fleet = FleetSettings(
        hosts=8, vms=40, days=10, interval_s=300, seed=given.seed, migrations=given.migrations,
        maintenance=given.maintenance, signatures=True,
    )  # fmt: skip
    plan = plan_fleet(fleet)
    with tempfile.TemporaryDirectory() as scratch:
        stream_dataset(plan, Path(scratch) / "fleet", name="migrations")
        print(json.dumps(vars(given) | measure(Path(scratch) / "fleet", plan.events)))


if __name__ == "__main__":
    main()
