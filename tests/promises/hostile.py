"""Values and names that would do harm if a shell, or anything like one, ever saw them."""

from __future__ import annotations

# Each would make the file CANARY if it were run.
_RUN = "touch CANARY"
_FORMS = (
    "$({})", "`{}`", "; {}", "& {}", "&& {}", "| {}", "|| {}", "\n{}\n", "\r\n{}", "'; {}; '", '"; {}; "', "'$({})'", '"$({})"', "<({})",
    ">({})", "${{IFS}}; {}", "$'\\n{}'", "a\\\n;{}", "# \n{}", "{{{},}}", "$(({}))", "[[ $({}) ]]", "() {{ :; }}; {}", "%0a{}", "eval {}",
    "-c '{}'", "--option=$({})", "--; {}", "=$({})", "~;{}", "!{}", "^a^{}", "\\; {}", "\t; {}", "\v{}", "\x1b]0;`{}`\x07", "{{x}}$({})",
    "%s$({})", "{{0}}`{}`", "\u202e; {}", "\u2028{}\u2029", "\ufeff; {}", "\u0000; {}", "${{jndi:ldap://{}}}", "@{}", "</script>{}",
    "'; DROP TABLE trials; -- {}", "__import__('os').system('{}')", "{{{{ '{}' }}}}", "!!python/object/apply:os.system ['{}']",
)  # fmt: skip
_PLAIN = (
    "", " ", "  x  ", "-", "--", "-rf", "--help", "-1", "--lr=9", "+x", "@file", "*", "?", "[a-z]*", "~", "~root", "/", "..", "../../etc/passwd",
    "/dev/stdin", "$HOME", "${HOME}", "$PATH", "$0", "$@", "$$", "%PATH%", "%n%n", "%s", "{}", "{", "}", "{lr}", "{{lr}}", "{0}", "{trial_dir}",
    "{trial.__class__}", "'", '"', "''", '""', "'\"'\"'", "`", "\\", "\\\\", "\\'", "\\n", "a\\", "\n", "\r", "\t", "a\nb", "\n\n", "\x01",
    "\x1b[31m", "\x7f", "\x85", "\u00a0", "\u200b", "\u202e\u2066", "é", "e\u0301", "日本語", "🦀", "🏳️‍🌈", "\U0010ffff", "\u0000", "a\u0000b",
    "NaN", "null", "None", "true", "1e999", "0x10", "1_000", "=", "a=b", "=x", "a,b", "a:b", "a|b", "a&b", "a;b", "(a)", "<a>", "#a", "!a", "^",
    "a b", "a  b", " a", "a ", "${oc.env:HOME}", "\\${x}", "???", "choice(1,2)", "x" * 10_000, "\\x00", "%00", "&#0;", "\\u0000",
    "ignore: all", "__proto__", "constructor", "; exit 1", "|| true", "> /dev/full", "< /dev/zero", "2>&1", "&", "&&", "|",
)  # fmt: skip


def values(canary: str) -> list[str]:
    """Over 200 texts; many of them would make the file `canary`, or one of that name in the working folder, if they were run."""
    runs = [form.format(_RUN).replace("CANARY", path) for form in _FORMS for path in ("canary", canary)]
    return list(dict.fromkeys([*runs, *_PLAIN]))


def names(canary: str) -> list[str]:
    """Those that can be the name of a file in a folder."""
    found = (
        value for value in values(canary) if "/" not in value and "\0" not in value and value not in ("", "..", ".")
    )
    return [value for value in found if len(value.encode()) < 200]
