"""Samples on disk: dataset folders, the history, and the shards that are read from either.

``Dataset`` and ``History`` are sample stores (``brownout.domain.ports.SampleStore``); ``plan_shards`` and
``read_shard`` make panels of them; ``maintain`` joins, thins and removes old files of a history; ``atomic_path``,
``write_text`` and ``write_json`` replace files whole.
"""

from brownout.store.atomic import atomic_path, write_text
from brownout.store.dataset import Dataset
from brownout.store.history import Description, History
from brownout.store.plain_json import json_text, write_json
from brownout.store.retention import Keep, maintain
from brownout.store.shards import Shard, ShardPlan, plan_shards, read_shard, shards

__all__ = [
    "Dataset",
    "Description",
    "History",
    "Keep",
    "Shard",
    "ShardPlan",
    "atomic_path",
    "json_text",
    "maintain",
    "plan_shards",
    "read_shard",
    "shards",
    "write_json",
    "write_text",
]
