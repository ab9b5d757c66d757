"""What each source of a database writes: from which hosts, how often, and what is odd in its values."""

from brownout.operate.sources_seen.host_sources import HostSources
from brownout.operate.sources_seen.odd_values import odd_values
from brownout.operate.sources_seen.samples import Sampled, sampled

__all__ = ["HostSources", "Sampled", "odd_values", "sampled"]
