"""Modules as one script: how they have to be written, and that the page's are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import asyncsweep.viewer
from asyncsweep.viewer.bundling import bundle, check, in_order, inert

PAGE = Path(asyncsweep.viewer.__file__).parent / "page"
HEAD = 'import { one } from "./one.js";\n'


def given(**modules: str) -> Callable[[str], str]:
    return lambda name: modules[name.removesuffix(".js")]


@pytest.mark.parametrize("name", sorted(path.name for path in PAGE.glob("*.js")))
def test_every_module_of_the_page_is_written_as_the_bundler_needs_it(name: str) -> None:
    check(name, (PAGE / name).read_text(encoding="utf-8"))


def test_the_page_has_no_module_that_its_entry_does_not_need() -> None:
    needed = in_order("main.js", lambda name: (PAGE / name).read_text(encoding="utf-8"))
    assert sorted(needed) == sorted(path.name for path in PAGE.glob("*.js"))


@pytest.mark.parametrize(
    "text",
    [
        'import one from "./one.js";',
        'import * as one from "./one.js";',
        'import "./one.js";',
        "import { one } from './one.js';",
        'import {\n  one,\n} from "./one.js";',
        'import { one } from "https://elsewhere/one.js";',
        'import { one } from "../one.js";',
        "export default function one() {}",
        "export { one };",
        'export * from "./one.js";',
        "export let one = 1;",
        "export var one = 1;",
        "  export const one = 1;",
        'const one = await import("./one.js");',
        "const here = import.meta.url;",
        "const $modules = 1;",
        f"const two = 2;\n{HEAD}",
    ],
)
def test_what_is_written_otherwise_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"^main\.js:[12]: "):
        check("main.js", text)


@pytest.mark.parametrize(
    "text",
    [
        f"// A comment.\n\n{HEAD}\nexport const two = one;",
        'import { one as two, $three } from "./one-two.js";',
        "export function one() {}",
        "export async function one() {}",
        "export class One {}",
        "const important = 1, exported = 2; // import what?",
    ],
)
def test_what_is_written_so_is_taken(text: str) -> None:
    check("main.js", text)


def test_a_module_comes_once_and_after_those_that_it_imports_from() -> None:
    read = given(
        main='import { b } from "./b.js";\nimport { c } from "./c.js";\n',
        b='import { c } from "./c.js";\nexport const b = c;\n',
        c="export const c = 1;\n",
    )
    assert in_order("main.js", read) == ["c.js", "b.js", "main.js"]


def test_a_circle_is_refused() -> None:
    read = given(main='import { b } from "./b.js";\n', b='import { main } from "./main.js";\n')
    with pytest.raises(ValueError, match=r"circle: main\.js -> b\.js -> main\.js"):
        bundle("main.js", read)


def test_a_bundle_is_functions_one_for_each_module() -> None:
    read = given(
        main='import { one as first, Two } from "./parts.js";\nfirst(Two);\n',
        parts="const hidden = 1;\nexport function one() {}\nexport class Two {}\n",
    )
    assert bundle("main.js", read).splitlines() == [
        "(() => {",
        '"use strict";',
        "const $modules = {};",
        '$modules["parts.js"] = (() => {',
        "const hidden = 1;",
        "function one() {}",
        "class Two {}",
        "return { one, Two };",
        "})();",
        '$modules["main.js"] = (() => {',
        'const { one: first, Two } = $modules["parts.js"];',
        "first(Two);",
        "return {  };",
        "})();",
        "})();",
    ]


def test_nothing_in_a_script_ends_or_hides_it() -> None:
    script = 'a = "</SCRIPT><!--<script>";\r\nb = /<\\/script/; c = "</div>"; d = 1 </x/.y;\n'
    assert inert(script) == 'a = "<\\/SCRIPT>\\x3c!--<script>";\nb = /<\\/script/; c = "</div>"; d = 1 </x/.y;\n'
