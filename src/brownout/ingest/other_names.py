"""Other names: what is called differently by two collectors, or by one collector before and after, is told as one.

A host is renamed to its fully qualified name, or one collector writes the short name and another one the long name. A
guest keeps its UUID, or its number, when it is renamed. Which name is another one of the same thing is seen from
these, and from who writes at one time: two hosts that are measured by the same input at once are two.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from brownout.domain.entities import Entity, EntityKind

__all__ = ["ALSO_CALLED", "GuestName", "OtherNames", "short_name"]

NAMES = ("domain_name", "domain")
TITLE = "display_name"
"""Labels with a guest's name in its source, and with what its owner calls it."""
ALSO_CALLED = "also_called"
"""Label of a host with the other names that it was seen under."""
AT_ONCE_MS = 300_000
"""Seen under two names for longer than this at once, it is two things."""
SHOWN_OF_KEY = 8

Key = tuple[str, str]
"""Tag and value that stay the same when a guest is renamed, as its UUID."""
Span = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestName:
    """A guest as the series of one input call it.

    ``title`` is what its owner calls it, ``owner`` tells equal titles apart. A name may be the key itself: a number.
    """

    key: Key
    name: str
    measurement: str
    title: str = ""
    owner: str = ""

    @property
    def titles(self) -> tuple[str, ...]:
        """Titles that the guest may be called by, the shortest first."""
        owned = (f"{self.title} ({self.owner})",) if self.owner else ()
        return (self.title, *owned) if self.title else ()


@dataclass(eq=False)
class OtherNames:
    """Names seen so far, and which entity each of them means.

    Attributes
    ----------
    hosts
        Id of a host by each other name of it.
    guests
        Id of a guest by each other name of it.
    titled
        Names of guests that go by what their owners call them, and numbers: no repair.
    apart
        Id of a guest by its key, where several have one name.
    """

    hosts: dict[str, str] = field(default_factory=dict)
    guests: dict[str, str] = field(default_factory=dict)
    titled: set[str] = field(default_factory=set)
    apart: dict[Key, str] = field(default_factory=dict)
    _unkeyed: set[str] = field(default_factory=set)
    _recalled: dict[str, str] = field(default_factory=dict)
    _known_hosts: set[str] = field(default_factory=set)
    _known_guests: dict[str, set[Key]] = field(default_factory=dict)
    _ids: dict[Key, str] = field(default_factory=dict)
    _host_spans: dict[str, dict[str, Span]] = field(default_factory=lambda: defaultdict(dict))
    _guest_spans: dict[Key, dict[GuestName, Span]] = field(default_factory=lambda: defaultdict(dict))

    @classmethod
    def recalled(cls, known: Iterable[Entity], keys: Sequence[str]) -> "OtherNames":
        """The names known from the entities of a history; ``keys`` are the labels that outlast a name."""
        other_names = cls()
        for entity in known:
            if entity.kind == EntityKind.HOST:
                other_names._known_hosts.add(entity.id)
                other_names.hosts |= dict.fromkeys(
                    filter(None, entity.labels.get(ALSO_CALLED, "").split(", ")), entity.id
                )
            elif entity.kind == EntityKind.VM:
                own = {(key, entity.labels[key]) for key in keys if entity.labels.get(key)}
                other_names._known_guests[entity.id] = own
                other_names._ids |= dict.fromkeys(own, entity.id)
                title = entity.labels.get(TITLE, "\0")
                titled = entity.id == title or entity.id.startswith(f"{title} (")
                names = {entity.labels.get(label, "") for label in (*NAMES, *keys)} - {"", entity.id}
                # A name within the id is no other name: a site, or a clash, made the id of it.
                others = {n for n in names if titled or n not in entity.id or entity.id.startswith(f"{n} (")}
                other_names._recalled |= dict.fromkeys(others, entity.id)
                other_names.titled |= (
                    others if titled else {entity.labels[key] for key in keys if entity.labels.get(key)}
                )
        other_names.guests = dict(other_names._recalled)
        return other_names

    def see_host(self, name: str, measurement: str, span: Span) -> None:
        """A host's name in samples from a first to a last time (ms) of one input; "" where it only mentions hosts."""
        spans = self._host_spans[name]
        spans[measurement] = _wider(spans.get(measurement), span)

    def see_guest(self, name: GuestName, span: Span) -> None:
        """A guest's name beside a key that outlasts it."""
        spans = self._guest_spans[name.key]
        spans[name] = _wider(spans.get(name), span)

    def see_keyless(self, name: str) -> None:
        """A guest's name in a series that says nothing else about it."""
        self._unkeyed.add(name)

    def learn(self, hypervisors: AbstractSet[str] = frozenset()) -> bool:
        """Decide which names are others of which entities; whether anything is new."""
        before = dict(self.hosts), dict(self.guests), dict(self.apart)
        self._learn_hosts()
        self._learn_guests(hypervisors | self._known_hosts)
        return (self.hosts, self.guests, self.apart) != before

    def also_called(self) -> dict[str, str]:
        """Other names by host that has any."""
        names_by_host: dict[str, list[str]] = defaultdict(list)
        for name, host in sorted(self.hosts.items()):
            names_by_host[host].append(name)
        return {host: ", ".join(names) for host, names in names_by_host.items()}

    def _learn_hosts(self) -> None:
        alike: dict[str, set[str]] = defaultdict(set)
        for name in {*self._host_spans, *self._known_hosts, *self.hosts}:
            alike[short_name(name).casefold()].add(name)
        self.hosts = {}
        for names in alike.values():
            long = {name.casefold() for name in names if short_name(name) != name}
            apart = len(names & self._known_hosts) > 1 or self._host_conflict(names)
            if apart or len(names) == 1 or len(long) > 1:
                continue
            first, *others = sorted(names, key=self._host_rank)
            self.hosts |= dict.fromkeys(others, first)

    def _host_rank(self, name: str) -> tuple[bool, int, int, str]:
        """Sort key of a host's names: known names first, then the earliest."""
        spans = self._host_spans.get(name, {}).values()
        return name not in self._known_hosts, min((start for start, _ in spans), default=0), len(name), name

    def _host_conflict(self, names: Iterable[str]) -> bool:
        by_input: dict[str, list[Span]] = defaultdict(list)
        for name in names:
            for measurement, span in self._host_spans.get(name, {}).items():
                if measurement:
                    by_input[measurement].append(span)
        return any(_at_once(spans) for spans in by_input.values())

    def _learn_guests(self, hosts: AbstractSet[str]) -> None:
        self.guests = dict(self._recalled)
        ids = dict(self._ids)
        shared = self._shared_names()
        self.apart = {}
        wanted = Counter(title for spans in self._guest_spans.values() for title in {one.title for one in spans})
        for key, spans in sorted(self._guest_spans.items(), key=lambda item: min(item[1].values())):
            if _renamed_at_once(key, spans):
                continue  # a number that two clusters use, a UUID that was copied: no identity
            same = {one.name for one in spans} & shared
            if same:
                if not same & self._unkeyed:  # else only the host tells them apart, or nothing
                    self.apart[key] = ids.setdefault(key, f"{min(same)} ({key[1][:SHOWN_OF_KEY]})")
                continue
            latest = max(spans, key=lambda one: (bool(one.title), spans[one]))
            names = {one.name: spans[one] for one in sorted(spans, key=spans.__getitem__, reverse=True)}
            own = ids.get(key) or self._chosen(key, latest, names, wanted, {*ids.values(), *hosts})
            ids[key] = own
            self.guests |= {name: own for name in names if name != own}
            if self.guests.get(own, own) != own:
                del self.guests[own]  # it has its old name again
            self.titled |= set(names) if own in latest.titles else {key[1]}

    def _shared_names(self) -> set[str]:
        """Names that several guests have or had, which their keys tell apart."""
        telling = {key: spans for key, spans in self._guest_spans.items() if not _renamed_at_once(key, spans)}
        holders = Counter(name for key, spans in telling.items() for name in {one.name for one in spans} - {key[1]})
        return {name for name, number in holders.items() if number > 1}

    def _chosen(
        self, key: Key, latest: GuestName, names: Mapping[str, Span], wanted: Counter[str], used_ids: set[str]
    ) -> str:
        """The id of a guest whose key is new: known by name, else its title where no other has it, else a name."""
        alive = {self._ids[other] for other in self._guest_spans if other in self._ids}
        proper = [name for name in names if name != key[1]] or [key[1]]
        first = min(proper, key=lambda name: names[name])
        known = next((name for name in names if name in self._known_guests and name not in alive), "")
        if known:
            return known  # seen before its key was, or made anew under its name
        own, used_ids = used_ids, used_ids | set(self._known_guests)
        wishes = latest.titles if wanted[latest.title] == 1 else latest.titles[1:]
        wish = next((wish for wish in wishes if wish not in used_ids), "")
        return wish or (first if first not in own else f"{first} ({key[1][:SHOWN_OF_KEY]})")


def _renamed_at_once(key: Key, name_spans: Mapping[GuestName, Span]) -> bool:
    """Whether one input calls a guest by two names at once: it means two guests."""
    spans: dict[str, dict[str, Span]] = defaultdict(dict)
    for one, span in name_spans.items():
        if one.name != key[1]:
            own = spans[one.measurement]
            own[one.name] = _wider(own.get(one.name), span)
    return any(_at_once(list(own.values())) for own in spans.values())


def short_name(name: str) -> str:
    """A host's name without its domain; an address, or a name that ends in a number, as it is."""
    first, _, domain = name.partition(".")
    return first if first and any(sign.isalpha() for sign in domain) and ":" not in name else name


def _wider(known: Span | None, span: Span) -> Span:
    return span if known is None else (min(known[0], span[0]), max(known[1], span[1]))


def _at_once(spans: list[Span]) -> bool:
    """Whether any two spans overlap for longer than a change of names takes."""
    ordered = sorted(spans)
    reach = ordered[0][1] if ordered else 0
    for start, end in ordered[1:]:
        if min(reach, end) - start > AT_ONCE_MS:
            return True
        reach = max(reach, end)
    return False
