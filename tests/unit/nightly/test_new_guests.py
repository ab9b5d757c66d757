"""A new guest takes memory of its host for good: that is no incident, while the same at another host is one."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from brownout.domain.findings import SuppressionReason
from brownout.nightly.context import NightContext, NightModels
from brownout.nightly.detect import detect
from brownout.nightly.training.train import fit_detector
from brownout.settings import Settings
from brownout.store.dataset import Dataset
from brownout.store.shards import plan_shards, read_shard

START = np.datetime64("2026-03-02T00:00", "m")
SLOTS, STEP, COMES = 7 * 96, 15, 6 * 96 + 40
HOSTS = ("kvm1", "kvm2", "kvm3")


def test_the_memory_that_a_new_guest_takes_is_quiet_where_it_came(write_dataset: Callable[..., Path]) -> None:
    rng = np.random.default_rng(4)
    free = 60 + rng.normal(0, 0.5, (len(HOSTS), SLOTS))
    free[:2, COMES:] -= 20  # at kvm1 by a guest that comes then, at kvm2 by nothing that anybody knows of
    rows = [(host, slot, free[number, slot]) for number, host in enumerate(HOSTS) for slot in range(SLOTS)]
    guest = [("new", slot, np.nan) for slot in range(COMES, SLOTS)]
    folder = write_dataset(
        {
            "host_memory_available_pct": [value for *_, value in rows + guest],
            "vm_cpu_pct": [np.nan] * len(rows) + [20.0] * len(guest),
        },
        times=[str(START + STEP * slot) for _, slot, _ in rows + guest],
        entities=[name for name, *_ in rows + guest],
        header='name = "made"\ninterval_s = 900\n',
    )
    kinds = "".join(f"{host},host,\n" for host in HOSTS)
    (folder / "entities.csv").write_text(f"entity,kind,parent\n{kinds}new,vm,kvm1\n")
    context = NightContext.build(Dataset.open(folder), Settings(), created=START)
    context = context.with_models(NightModels(detector=fit_detector(context)))
    (plan,) = [plan for plan in plan_shards(context.store) if plan.kind == "host"]
    panel = read_shard(context.store, plan).panel
    found = detect(context, panel, panel.slot(context.span.window))
    comes = np.datetime64(START + STEP * COMES, "ms")
    assert {episode.entity for episode in found.episodes if episode.start == comes} == {"kvm2"}
    (quiet,) = [one for one in found.suppressed if one.episode.entity == "kvm1"]
    assert (quiet.why, quiet.because) == (SuppressionReason.MOVED, "new")
