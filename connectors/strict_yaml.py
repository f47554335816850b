"""YAML as a source file may use it: YAML 1.2 words, nothing that two readers could take differently.

Stock YAML 1.1 reads country `NO` as false, `12:30` as 750, `2020-04-08` as a date, `010` as 8, and lets a second
`map:` silently replace the first. Here only `true` and `false` are booleans, only plain decimal integers are numbers,
nothing is a date, and duplicate keys, anchors, merge keys, tags and keys that are not texts are refused.
"""

import re
from collections.abc import Hashable
from typing import Any

import yaml

from connectors.errors import ConnectorError

MAX_CHARACTERS = 262_144
MAX_DEPTH = 24


class YamlError(ConnectorError):
    """Text that is not YAML, or YAML beyond what is allowed here. Names line and column."""


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  (PyYAML's own name; replaced, not shared)

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]  # PyYAML's stubs leave it bare
        if isinstance(event, yaml.events.AliasEvent):
            raise self._refused("aliases are not allowed", event)
        for forbidden in ("anchor", "tag"):
            if getattr(event, forbidden, None):
                raise self._refused(f"{forbidden}s are not allowed", event)
        self.depth = getattr(self, "depth", 0) + 1
        if self.depth > MAX_DEPTH:
            raise self._refused("nested too deeply", event)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def _refused(self, problem: str, event: Any) -> yaml.composer.ComposerError:
        return yaml.composer.ComposerError(None, None, problem, event.start_mark)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002  (PyYAML's signature)
        seen: set[str] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(
                    None, None, "a key must be a text: put it in quotes", key_node.start_mark
                )
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"duplicate key {key!r}", key_node.start_mark)
            seen.add(key)
        # Not SafeLoader's: that one would first expand merge keys (`<<`).
        return yaml.constructor.BaseConstructor.construct_mapping(self, node, deep=deep)


for _tag, _pattern, _first in (
    ("tag:yaml.org,2002:bool", r"true|false", "tf"),
    ("tag:yaml.org,2002:int", r"-?(?:0|[1-9][0-9]*)", "-0123456789"),
    ("tag:yaml.org,2002:null", r"null|~|", "n~"),
):
    _Loader.add_implicit_resolver(_tag, re.compile(rf"^(?:{_pattern})$"), [*_first] + ([""] if "null" in _tag else []))


def load(text: str) -> Any:
    """Read one YAML document into dicts, lists, texts, integers, booleans and None.

    Raises:
        YamlError: with the reason and, where there is one, line and column; never a `yaml` error.
    """
    if len(text) > MAX_CHARACTERS:
        raise YamlError(f"longer than {MAX_CHARACTERS} characters")
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506  (a SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise YamlError(f"{error.problem}{place}") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise YamlError(f"not YAML: {type(error).__name__}") from error
