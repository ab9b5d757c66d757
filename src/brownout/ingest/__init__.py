"""What collectors write, as canonical samples.

``raw`` declares what a database returns; ``mapping`` and ``expressions`` say which metric comes from which measurement
and field; ``canonical`` reads slices of a database through a mapping; ``entity_registry`` tells which entity a series
belongs to; ``clean`` repairs rows and counts the repairs; ``line_protocol`` writes points. The rest are parts of these.
"""

from brownout.ingest.canonical import Canonical, Canonicaliser
from brownout.ingest.clean import Rows, clean
from brownout.ingest.line_protocol import Points, batches
from brownout.ingest.mapping import Names, TelegrafMapping
from brownout.ingest.raw import MeasurementSchema, Raw, Request, TelemetryDatabase
from brownout.ingest.spans import merge_spans, spans_of

__all__ = [
    "Canonical",
    "Canonicaliser",
    "MeasurementSchema",
    "Names",
    "Points",
    "Raw",
    "Request",
    "Rows",
    "TelegrafMapping",
    "TelemetryDatabase",
    "batches",
    "clean",
    "merge_spans",
    "spans_of",
]
