"""What a hypervisor knows and no input of Telegraf writes: libvirt through virsh, the kernel through /proc and /sys."""
