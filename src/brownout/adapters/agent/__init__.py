"""The host agent: what Telegraf's inputs gather on a hypervisor, under the same names and types."""
