"""Draw the knowledge into the documentation: the page of causes and a picture a family, made when the docs are built.

MkDocs runs this file as a hook (``hooks`` in mkdocs.yml), so that a change of ``models/`` needs nothing else.
"""

from collections.abc import Iterable, Sequence
from html import escape

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from brownout.diagnosis.knowledge.cause_coverage import losses
from brownout.diagnosis.knowledge.knowledge_base import CauseRule, Knowledge, Symptom
from brownout.domain.findings import EvidenceRole
from brownout.ingest.mapping import TelegrafMapping

COLOURS = {
    EvidenceRole.NECESSARY: "#1f5fa8",
    EvidenceRole.STRONG: "#4b8fd6",
    EvidenceRole.SUPPORTING: "#a9c8ea",
    EvidenceRole.EXCLUDING: "#c0392b",
}
ROW, LEFT, RIGHT, WIDTH = 16, 250, 640, 1080
INTRO = """# Causes

What brownout knows about causes, drawn from `models/knowledge/` when these pages are built. A line leads from a
symptom to the cause that it speaks for or, in red, against; dark blue must be seen for the cause to be named. In
brackets stands where the symptom is looked for, seen from the suspected entity; *later* is what comes only once a
resource is used up, and whose absence says nothing until then. The [symptoms](#symptoms) themselves
stand below. Adding a cause means adding a table to `causes.toml`, and a symptom to `symptoms.toml` where it needs a new
one. What nothing shows, or what nothing tells from another cause, is refused when the knowledge is read.
"""


NEEDS = """
## What each input is needed for

Inputs are Telegraf's, but for three. `brownout facts` is
[run by inputs.exec](influxdb.md#what-no-input-of-telegraf-knows), and [`brownout probe`](probe.md) writes
`console_probe`. Nothing that ships with brownout counts clients who displace each other (ART-06), or knows the drivers
inside a guest (SW-01, SW-04): whoever has such a collector can write what they need. spice-server says that it took a
link for slow (NET-10) only with its debugging on. `brownout doctor` says all this of a site's own database.
"""


def picture(causes: Sequence[CauseRule]) -> str:
    """Symptoms on the left, causes on the right, a curve for each piece of evidence."""
    symptoms = sorted({symptom for cause in causes for rule in cause.evidence for symptom, _ in rule.parts})
    height = ROW * (max(len(symptoms), len(causes)) + 2)
    left = {name: ROW + (k + 0.5) * (height - 2 * ROW) / len(symptoms) for k, name in enumerate(symptoms)}
    right = {cause.id: ROW + (k + 0.5) * (height - 2 * ROW) / len(causes) for k, cause in enumerate(causes)}
    middle = (LEFT + RIGHT) // 2
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}"'
    parts = [
        f'{head} font-family="sans-serif" font-size="11">',
        f'<rect width="{WIDTH}" height="{height:.0f}" fill="white"/>',
    ]
    for cause in causes:
        for role, symptom in [(rule.role, symptom) for rule in cause.evidence for symptom, _ in rule.parts]:
            a, b = left[symptom], right[cause.id]
            curve = f"M{LEFT + 6} {a:.0f} C{middle} {a:.0f} {middle} {b:.0f} {RIGHT - 6} {b:.0f}"
            parts.append(f'<path d="{curve}" fill="none" stroke="{COLOURS[role]}" stroke-width="1.2"/>')
    for name, y in left.items():
        parts.append(f'<text x="{LEFT}" y="{y + 4:.0f}" text-anchor="end">{escape(name.replace("_", " "))}</text>')
    for cause in causes:
        text = escape(f"{cause.id} {cause.title}")
        parts.append(f'<text x="{RIGHT}" y="{right[cause.id] + 4:.0f}">{text}</text>')
    return "\n".join([*parts, "</svg>", ""])


def section(family: str, causes: Sequence[CauseRule]) -> str:
    """A heading, the picture and a table."""
    lines = [
        f"\n## {family.capitalize()}\n",
        f"![Evidence of the causes of the family {family}](images/causes-{family}.svg)\n",
        "| cause | | culprit | must be seen | speaks for it | speaks against it |",
        "|---|---|---|---|---|---|",
    ]
    for cause in causes:
        cells = [
            cause.id,
            cause.title + (" (no fault)" if cause.artefact else ""),
            cause.kind or "any",
            _names(cause, EvidenceRole.NECESSARY),
            _names(cause, EvidenceRole.STRONG, EvidenceRole.SUPPORTING),
            _names(cause, EvidenceRole.EXCLUDING),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    alike = [cause for cause in causes if cause.alike]
    lines += [f"\n{c.id} cannot be told from {', '.join(c.alike)} without {c.decider}." for c in alike]
    return "\n".join(lines) + "\n"


def symptoms_table(symptoms: Iterable[Symptom]) -> str:
    """What each symptom is measured by, and when it is present."""
    lines = ["\n## Symptoms\n", "| symptom | measured by | present | why |", "|---|---|---|---|"]
    for symptom in symptoms:
        cells = (symptom.id.replace("_", " "), symptom.described, _present(symptom), symptom.source)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _present(symptom: Symptom) -> str:
    """From where to where a symptom grows from absent to fully present."""
    if symptom.label:
        return f"is {' or '.join(symptom.values)}"
    if symptom.measure in {"surge", "early"}:
        return f"surges; {symptom.scale:g} is a clear one"
    if symptom.measure == "along":
        return f"moves as {symptom.along} does, by {symptom.spreads[0]:g} to {symptom.spreads[1]:g} of its way"
    words = {"up": "rises", "down": "falls", "either": "is not measured"}[symptom.direction]
    steady = " steadily over hours" if symptom.shape == "ramp" else ""
    spreads = f"{symptom.spreads[0]:g} to {symptom.spreads[1]:g} usual spreads"
    if symptom.low is None or symptom.high is None:
        return f"{words}{steady} by {spreads}"
    if symptom.measure == "silence":
        return f"{words} for {symptom.low:.0%} to {symptom.high:.0%} of the time"
    apart = ", apart from the others" if symptom.measure == "apart" else ""
    plus = f", with {symptom.plus} on top" if symptom.plus else ""
    return f"{words}{steady}{plus} from {symptom.low:g} to {symptom.high:g}, and by {spreads}{apart}"


def needs(knowledge: Knowledge, mapping: TelegrafMapping) -> str:
    """A table of what cannot be told without an input."""
    lines = [NEEDS, "| without | cannot be named | told less surely |", "|---|---|---|"]
    for name in dict.fromkeys(source.input for source in mapping.sources):
        sources = [source for source in mapping.sources if source.input == name]
        lost = {measured for source in sources for measured in (*source.metrics, *source.labels)}
        lacking = list(losses(knowledge, lost))
        blind, unsure = (", ".join(x.cause.id for x in lacking if x.named is named) for named in (False, True))
        if lacking:
            lines.append(f"| {name} | {blind} | {unsure} |")
    return "\n".join(lines) + "\n"


def _names(cause: CauseRule, *roles: EvidenceRole) -> str:
    rules = (rule for rule in cause.evidence if rule.role in roles)
    return ", ".join(
        " or ".join(f"{s} ({where})" for s, where in rule.parts).replace("_", " ") + (" later" if rule.later else "")
        for rule in rules
    )


def pages(knowledge: Knowledge) -> dict[str, str]:
    """Text of each file below docs/ by its path."""
    families: dict[str, list[CauseRule]] = {}
    for cause in knowledge.causes.values():
        families.setdefault(cause.family.value, []).append(cause)
    files = {f"images/causes-{family}.svg": picture(causes) for family, causes in families.items()}
    sections = [section(family, causes) for family, causes in families.items()]
    tables = symptoms_table(knowledge.symptoms.values()) + needs(knowledge, TelegrafMapping.load())
    return files | {"causes.md": INTRO + "".join(sections) + tables}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages to those that MkDocs found in docs/."""
    for path, text in pages(Knowledge.load()).items():
        files.append(File.generated(config, path, content=text))
    return files
