"""What jobs publish, as far as it is known: at once, or from what was found when they had run."""

from __future__ import annotations

from dataclasses import dataclass, field

from relance.languages.model import FromJq, Json, PlanError
from relance.languages.support import publishing
from relance.languages.support.answers import Answers, Questions
from relance.languages.support.filling import Filling
from relance.languages.support.nodes import Node, UnpublishedError
from relance.languages.support.places import ROOT, WORK, View


@dataclass
class Outcomes:
    """Tells what jobs publish; each answer is kept."""

    filling: Filling
    answers: dict[tuple[str, str], Answers] = field(default_factory=dict)
    """By scope's folder and stage: what was found when its jobs had run."""
    _results: dict[str, Json] = field(default_factory=dict)

    def result(self, node: Node) -> Json:
        """Return what a job publishes.

        Raises:
            UnpublishedError: it isn't known yet.
        """
        if node.name not in self._results:
            if self.late(node):
                found = self.answers.get((node.scope.folder, node.stage))
                if found is None:
                    raise UnpublishedError(node.scope, node.stage)
                self._results[node.name] = self._published(node, found)
            else:
                self._results[node.name] = self._published(node, self.filling.places)
        return self._results[node.name]

    def late(self, node: Node) -> bool:
        """Return whether what a job publishes is known only once it, or one that it reads from, has run."""
        if node.writes:
            return not publishing.known_before(node.step)
        folder = self._searched(node)
        if folder is None or not folder.startswith(f"{WORK}/"):
            return False
        return publishing.searches(node.step.publisher, self.filling.parameters(node))

    def asked(self, node: Node) -> Questions:
        """Return what has to be looked for, once a job has run, to know what it publishes."""
        questions = Questions()
        self._published(node, questions)
        return questions

    def promised(self, node: Node) -> tuple[str, ...]:
        """Return the paths within its own folder that a job publishes, known before it runs."""
        if not publishing.known_before(node.step):
            return ()
        own = f"{WORK}/{node.name}/"
        values = (value for _, value in publishing.leaves(self.result(node)))
        return tuple(v.removeprefix(f"{ROOT}/") for v in values if isinstance(v, str) and v.startswith(own))

    def _published(self, node: Node, view: View) -> Json:
        try:
            parameters = self.filling.parameters(node)
            return publishing.publish(node.step.publisher, parameters, self._searched(node), view)
        except PlanError as error:
            raise PlanError(f"the job '{node.name}': {error}".replace(f"{ROOT}/", "")) from error

    def _searched(self, node: Node) -> str | None:
        """Return the folder where text that a job publishes is looked for as the name of a file.

        yadage looks as soon as the parameters are known. Where they come from a job that publishes before it
        runs, nothing would be there yet; only who says `discover` means to find something all the same.
        """
        if node.writes:
            return f"{WORK}/{node.name}"
        sources = self.filling.sources(node)
        if len(sources) != 1:
            return None
        publisher = node.step.publisher
        wanted = isinstance(publisher, FromJq) and publisher.glob
        early = sources[0].writes and publishing.known_before(sources[0].step)
        return None if early and not wanted else self.filling.place(sources[0])
