"""Stories are told in groups: those of a group at the same time, the groups one after the other.

A story is a function that is given a customer of its own. Switches, such as a maintenance mode, concern everybody, so
stories that need one are a group.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from launcher.system.stack import Stack
from tests.e2e.client import Shop
from tests.e2e.shopper import Shopper

Telling = Callable[[Shopper], None]
_AT_ONCE = 16


@dataclass(frozen=True)
class System:
    """What runs: as its clients see it, and as processes."""

    shop: Shop
    stack: Stack


Switch = Callable[[System], AbstractContextManager[None]]


@contextmanager
def nothing_switched(_system: System) -> Iterator[None]:
    """Tell the stories with the system as it is."""
    yield


@dataclass(frozen=True)
class Story:
    """A story and the group that it is told in."""

    tell: Telling
    group: "Group"

    @property
    def name(self) -> str:
        """The story in a sentence."""
        return self.tell.__name__


class Group:
    """Stories that may be told at the same time, while something is switched."""

    def __init__(self, switch: Switch = nothing_switched) -> None:
        self.switch = switch
        self.stories: list[Story] = []
        self.last: list[Story] = []

    def story(self, tell: Telling) -> Telling:
        """Add a story."""
        self.stories.append(Story(tell, self))
        return tell

    def last_story(self, tell: Telling) -> Telling:
        """Add a story that is told after the others and may switch back."""
        self.last.append(Story(tell, self))
        return tell


@dataclass(frozen=True)
class Told:
    """A story that was told: its customer, and what went wrong, if anything did."""

    shopper: Shopper
    error: BaseException | None


class Storyteller:
    """Tells each group once, when the first of its stories is asked for."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._told: dict[Story, Told] = {}
        self._failed: dict[int, BaseException] = {}

    def __call__(self, story: Story) -> Shopper:
        """Return the customer of a story that was told; raise what went wrong in it."""
        if id(story.group) in self._failed:
            raise self._failed[id(story.group)]
        if story not in self._told:
            self._tell(story.group)
        told = self._told[story]
        if told.error is not None:
            raise told.error
        return told.shopper

    def _tell(self, group: Group) -> None:
        try:
            with group.switch(self._system), ThreadPoolExecutor(_AT_ONCE, "story") as pool:
                for stories in (group.stories, group.last):
                    running = {story: self._start(pool, story) for story in stories}
                    self._told |= {story: Told(who, end.exception()) for story, (who, end) in running.items()}
        except BaseException as error:
            self._failed[id(group)] = error
            raise

    def _start(self, pool: ThreadPoolExecutor, story: Story) -> tuple[Shopper, Future[None]]:
        shopper = Shopper(self._system.shop)
        return shopper, pool.submit(story.tell, shopper)
