"""The command line: the same use cases, with progress. Results go to stdout, talk to stderr."""

import sys

from brownout.cli import (
    agent_commands,
    alert_commands,
    evaluate_commands,
    facts_commands,
    feedback_commands,
    lab_commands,
    plan_commands,
    probe_commands,
    report_commands,
    review_commands,
)
from brownout.cli.app import app
from brownout.cli.talk import complain
from brownout.domain.errors import BrownoutError, SettingsError

__all__ = [
    "agent_commands",
    "alert_commands",
    "app",
    "evaluate_commands",
    "facts_commands",
    "feedback_commands",
    "lab_commands",
    "main",
    "plan_commands",
    "probe_commands",
    "report_commands",
    "review_commands",
]


def main() -> None:
    """Run the command line: exit code 0 = done, 1 = failed, 2 = bad usage or bad settings."""
    try:
        app()
    except SettingsError as error:
        complain(error)
        sys.exit(2)
    except BrownoutError as error:
        complain(error)
        sys.exit(1)
    except ModuleNotFoundError as error:
        if (error.name or "brownout").partition(".")[0].startswith("brownout"):
            raise
        remedy = f"Install it (pip install {error.name}), or brownout with all that it needs."
        complain(BrownoutError(f"The package {error.name} is missing.", remedy=remedy))
        sys.exit(1)
    except OSError as error:
        complain(BrownoutError(f"{error}.", remedy="Check the path, its permissions and the free space."))
        sys.exit(1)
