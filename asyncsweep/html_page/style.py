"""How the page looks, and the policy that lets a browser use this style and nothing else whatsoever."""

from __future__ import annotations

import base64
import hashlib

STYLE = """
:root { color-scheme: light dark; --ink: #1c2024; --faint: #60646c; --line: #dcdfe4; --paper: #fff; --panel: #f6f7f9;
  --complete: #18794e; --pruned: #915930; --failed: #ce2c31; --cancelled: #8347b9; --running: #0d74ce; }
@media (prefers-color-scheme: dark) { :root { --ink: #edeef0; --faint: #a1a5ad; --line: #363a3f; --paper: #111315;
  --panel: #1b1e21; --complete: #3dd68c; --pruned: #f5b45c; --failed: #ff9592; --cancelled: #d19dff; --running: #70b8ff; } }
body { margin: 0 auto; max-width: 72rem; padding: 2rem 1.25rem 4rem; color: var(--ink); background: var(--paper);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.05rem; margin: 2.25rem 0 .6rem; }
p { margin: .25rem 0; }
.faint, footer, caption { color: var(--faint); }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .87rem; }
caption { text-align: left; padding: .4rem .6rem; caption-side: bottom; }
th, td { padding: .25rem .6rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { font-weight: 600; white-space: nowrap; }
thead th { background: var(--panel); }
td.number { text-align: right; white-space: nowrap; }
td.text { min-width: 14rem; }
tr:last-child td { border-bottom: 0; }
.COMPLETE { color: var(--complete); } .PRUNED { color: var(--pruned); } .FAILED { color: var(--failed); }
.CANCELLED { color: var(--cancelled); } .RUNNING { color: var(--running); } .WAITING { color: var(--faint); }
svg { width: 100%; height: auto; max-width: 60rem; display: block; }
svg text { fill: var(--faint); font-size: 11px; } svg .axis { stroke: var(--line); fill: none; }
svg .best { stroke: var(--complete); stroke-width: 1.5; fill: none; } svg circle { fill: currentColor; fill-opacity: .55; }
footer { margin-top: 3rem; font-size: .8rem; }
@media print { body { max-width: none; padding: 0; } .wide { overflow: visible; } }
"""

_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

POLICY = f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action 'none'"
"""Without `script-src` there is no script; an element's own `style=` is refused as well."""
