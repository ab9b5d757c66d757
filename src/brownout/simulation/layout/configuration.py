"""Configuration of guests and hosts as libvirt's XML has it: mostly sound, here and there odd but harmless."""

import numpy as np

from brownout.simulation.layout.fleet_layout import Layout

__all__ = ["draw_labels"]

GUEST = {
    "domain_type": (("kvm",), ()),
    "cpu_mode": (("host-passthrough", "host-model"), ("kvm64",)),
    "disk_bus": (("virtio", "scsi"), ("sata",)),
    "disk_cache": (("none", "writeback"), ("writethrough",)),
    "backing_depth": (("0", "1", "2"), ("4",)),
    "iothreads": (("1", "2", "4"), ("0",)),
    "nic_model": (("virtio",), ("e1000",)),
    "video_model": (("virtio", "vga", "bochs"), ("cirrus",)),
    "video_vgamem_kib": (("16384", "32768", "65536"), ("8192",)),
    "input_tablet_bus": (("virtio", "usb"), ("none",)),
    "spice_image_compression": (("auto_glz", "auto_lz"), ("off",)),
    "usb_controller": (("qemu-xhci",), ("piix3-uhci",)),
    "os": (("linux", "linux", "windows"), ()),
    "hyperv_on": (("true",), ("false",)),
    "virtio_win": (("current",), ("old",)),
    "guest_gpu_driver": (("virtio-gpu", "qxl"), ()),
    "emulator_pinned": (("no", "housekeeping"), ()),
    "io_cap": (("no",), ()),
    "oversized": (("no",), ()),
}
"""By label: sound values, and odd ones."""
HOST = {"vcpus_per_core": (("1", "2", "3"), ("4",)), "governor": (("performance", "schedutil"), ())}
DISK = {"scheduler": (("none", "mq-deadline"), ())}
ODD = 0.04
"""Share of guests that carry an odd value and do not suffer from it, so that configuration alone proves nothing."""


def draw_labels(layout: Layout, rng: np.random.Generator) -> None:
    """Give every guest, host and disk its configuration."""
    for names, table in (
        (layout.vm_names, GUEST),
        (layout.host_names, HOST),
        ([f"{name}/disk" for name in layout.host_names], DISK),
    ):
        for label, (sound, odd) in table.items():
            chosen = rng.choice(sound, len(names))
            if odd:
                chosen = np.where(rng.random(len(names)) < ODD, rng.choice(odd, len(names)), chosen)
            for name, value in zip(names, chosen.tolist(), strict=True):
                layout.labels.setdefault(name, {})[label] = value
