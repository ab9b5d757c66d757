"""What a night does to the outside once its report is written."""

from brownout.nightly.effects.side_effects import EXPECTED, EffectState, Outcome, Retry, SideEffects

__all__ = ["EXPECTED", "EffectState", "Outcome", "Retry", "SideEffects"]
