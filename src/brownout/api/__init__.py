"""What analysts use from notebooks: the nights of an output folder as pandas frames, and plots of them."""

from brownout.api.stored_night import StoredNight, nights, open_night

open = open_night  # noqa: A001 - the name that a reader looks for: brownout.open("nightly")

__all__ = ["StoredNight", "nights", "open", "open_night"]
