"""Integrity of a history: checksums of its files, what is done about damaged ones, and its description on disk."""

from brownout.store.integrity.checksums import DamagedFileError, blank_checksums, check_file, check_footer, seal
from brownout.store.integrity.damaged_files import (
    damaged_slices,
    forget_damage,
    forget_restored,
    restored_slices,
    set_aside,
    tried_in_vain,
)
from brownout.store.integrity.history_description import Description, read_description, write_description

__all__ = [
    "DamagedFileError",
    "Description",
    "blank_checksums",
    "check_file",
    "check_footer",
    "damaged_slices",
    "forget_damage",
    "forget_restored",
    "read_description",
    "restored_slices",
    "seal",
    "set_aside",
    "tried_in_vain",
    "write_description",
]
