"""The lab: real guests of QEMU whose consoles are slowed down on purpose, measured as at a site."""
