"""The diagnosis on a fleet that another generator made."""

import pytest
from second_fleet import FAULTS, make

from brownout.diagnosis.evidence.observation import IncidentWindow
from brownout.diagnosis.inference.cause_ranking import Diagnoser
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.findings import UNKNOWN


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_another_generator_are_named(fault: str) -> None:
    diagnoser, right = Diagnoser(Knowledge.load()), 0
    for seed in range(3):
        panels, topology, truth, start, end = make(fault, seed)
        window = IncidentWindow(id="i", start=start, end=end, entities=tuple(e.id for e in topology))
        top = diagnoser.diagnose(window, [panel.between(panel.start, end) for panel in panels], topology).top
        right += (top.entity, top.id) == truth
    assert right == 3


def test_its_quiet_hours_have_no_cause() -> None:
    diagnoser = Diagnoser(Knowledge.load())
    for seed in range(3):
        panels, topology, _, start, end = make("HW-01", seed)
        quiet = start - (end - start)
        window = IncidentWindow(id="q", start=quiet, end=start, entities=tuple(e.id for e in topology))
        found = diagnoser.diagnose(window, [panel.between(panel.start, start) for panel in panels], topology)
        assert found.top.id == UNKNOWN, found.summary
