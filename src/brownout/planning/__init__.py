"""What will run out and what to do about it: breaches from forecasts, and actions with their predicted effect."""

from brownout.planning.actions import merged, plan_breach, plan_diagnosis, predict_effect
from brownout.planning.remedies import Remedies, Remedy
from brownout.planning.saturation import breaches

__all__ = ["Remedies", "Remedy", "breaches", "merged", "plan_breach", "plan_diagnosis", "predict_effect"]
