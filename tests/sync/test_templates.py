"""A template is compiled once for all environments, and anew when its text has changed."""

from __future__ import annotations

from typing import Any

from jinja2 import DictLoader, Environment

from sync.templates import CompiledOnce


class Counting(Environment):
    """Says how often it compiled something."""

    compiled = 0

    def compile(self, *args: Any, **kwargs: Any) -> Any:
        self.compiled += 1
        return super().compile(*args, **kwargs)


def environments(texts: dict[str, str]) -> tuple[Counting, Counting]:
    """Two languages of one page."""
    cache = CompiledOnce()
    found = tuple(Counting(loader=DictLoader(texts), bytecode_cache=cache) for _ in range(2))
    for environment, word in zip(found, ("ein", "one"), strict=True):
        environment.globals["word"] = word
    return found[0], found[1]


def test_the_second_language_compiles_nothing_and_says_its_own() -> None:
    german, english = environments({"page": "{{ word }} {{ number }}"})
    assert german.get_template("page").render(number=1) == "ein 1"
    assert english.get_template("page").render(number=2) == "one 2"
    assert (german.compiled, english.compiled) == (1, 0)


def test_what_has_changed_is_compiled_anew() -> None:
    texts = {"page": "old"}
    first, second = environments(texts)
    assert first.get_template("page").render() == "old"
    texts["page"] = "new"
    assert second.get_template("page").render() == "new"
    assert second.compiled == 1


def test_templates_of_the_same_text_keep_their_names() -> None:
    first, second = environments({"a": "{{ nothing.here }}", "b": "{{ nothing.here }}"})
    assert first.get_template("a").name == "a" and second.get_template("b").name == "b"
    assert (first.compiled, second.compiled) == (1, 1)
