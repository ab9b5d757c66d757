"""What a real InfluxDB 2.8 answered, as a scripted server gives it again."""

from pathlib import Path

from scripted import Answer

__all__ = ["recorded"]

FOLDER = Path(__file__).parents[1] / "data" / "influxdb2"


def recorded(name: str) -> Answer:
    """A whole answer as curl showed it: status, headers and body, which is no longer cut into chunks."""
    head, _, body = (FOLDER / f"{name}.http").read_bytes().partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = [tuple(line.split(": ", 1)) for line in lines]
    kept = tuple((n, v) for n, v in headers if n not in ("Transfer-Encoding", "Content-Length", "Date"))
    return Answer(body, int(first.split()[1]), kept)
