# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The style of all pages: light and dark, narrow and wide, paper."""

from __future__ import annotations

STYLE = """
:root{--bg:#f5f6f8;--card:#fff;--ink:#1a2129;--soft:#505b68;--line:#d5dae1;--link:#0b57a4;--code:#eef1f5;--focus:#0b57a4;
--bad:#b3261e;--bad-bg:#fdeceb;--err:#834400;--err-bg:#fff1dd;--ok:#17653a;--ok-bg:#e5f4ea;--na:#465160;--na-bg:#e9edf2;
--old:#54389e;--old-bg:#efebfc;--critical:#8c0f1f;--high:#b3261e;--medium:#834400;--low:#3c5566;--unknown:#505b68}
@media (prefers-color-scheme:dark){:root{--bg:#10151b;--card:#182028;--ink:#e7ebf0;--soft:#a9b4c0;--line:#323d49;
--link:#8cc2ff;--code:#0f151b;--focus:#8cc2ff;--bad:#ff9d94;--bad-bg:#461a18;--err:#ffc27a;--err-bg:#41290a;--ok:#82d8a2;
--ok-bg:#123420;--na:#c0cad5;--na-bg:#2a343f;--old:#c6b5ff;--old-bg:#2e2454;--critical:#ff8d9b;--high:#ff9d94;
--medium:#ffc27a;--low:#a8c4d8;--unknown:#a9b4c0}}
*{box-sizing:border-box}
html{scroll-padding-top:1rem}
body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",
"DejaVu Sans",sans-serif;overflow-wrap:anywhere}
a{color:var(--link)}
a:focus-visible,button:focus-visible,input:focus-visible,select:focus-visible,summary:focus-visible,
[tabindex]:focus-visible{outline:3px solid var(--focus);outline-offset:2px}
.skip{position:absolute;left:-99rem}
.skip:focus{left:1rem;top:.5rem;background:var(--card);padding:.5rem 1rem;z-index:9}
header,main,footer{max-width:82rem;margin:0 auto;padding:1rem 1.25rem}
header h1{margin:.25rem 0;font-size:1.6rem;line-height:1.25}
header p{margin:.25rem 0;color:var(--soft)}
nav{margin:.75rem 0 0}
nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;list-style:none;margin:0;padding:0}
section{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:1rem 1.25rem;margin:0 0 1rem}
section h2{margin:0 0 .5rem;font-size:1.15rem}
section h3{margin:1rem 0 .25rem;font-size:1rem}
section>:first-child{margin-top:0}section>:last-child{margin-bottom:0}
.muted{color:var(--soft)}
.small{font-size:.875rem}
.num{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:.75rem;list-style:none;
margin:0 0 1rem;padding:0}
.tiles li{border:1px solid var(--line);border-left:.35rem solid var(--na);border-radius:.5rem;padding:.5rem .75rem;
background:var(--card)}
.tiles strong{display:block;font-size:1.7rem;line-height:1.2;font-variant-numeric:tabular-nums}
.tiles .t-non_compliant{border-left-color:var(--bad)}.tiles .t-error{border-left-color:var(--err)}
.tiles .t-compliant{border-left-color:var(--ok)}.tiles .t-stale{border-left-color:var(--old)}
.bar{display:block;width:100%;height:1.1rem;border-radius:.3rem}
.f-non_compliant{fill:var(--bad)}.f-error{fill:var(--err)}.f-compliant{fill:var(--ok)}.f-stale{fill:var(--old)}
.f-not_applicable{fill:var(--na)}.f-line{stroke:var(--line);stroke-width:1}.f-text{fill:var(--soft);font-size:11px}
.trend{width:100%;height:auto;max-height:14rem}
.badge{display:inline-block;border-radius:1rem;padding:.05rem .6rem;font-size:.875rem;font-weight:600;
white-space:nowrap}
.s-non_compliant{background:var(--bad-bg);color:var(--bad)}.s-error{background:var(--err-bg);color:var(--err)}
.s-compliant{background:var(--ok-bg);color:var(--ok)}.s-not_applicable{background:var(--na-bg);color:var(--na)}
.s-stale{background:var(--old-bg);color:var(--old)}
.sev{font-weight:600;font-size:.875rem;white-space:nowrap}
.v-critical{color:var(--critical)}.v-high{color:var(--high)}.v-medium{color:var(--medium)}.v-low{color:var(--low)}
.v-unknown{color:var(--unknown)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%}
caption{text-align:left;color:var(--soft);font-size:.875rem;padding:.25rem 0}
th,td{text-align:left;vertical-align:top;padding:.4rem .75rem .4rem 0;border-bottom:1px solid var(--line)}
th{font-size:.875rem;color:var(--soft);font-weight:600}
thead th{white-space:nowrap;overflow-wrap:normal}
tbody th{font-size:1rem;color:inherit;font-weight:400;min-width:19rem}
tr:last-child>td,tr:last-child>th{border-bottom:0}
th.num,td.num{padding-right:1rem}
td ul,td p{margin:0;padding:0;list-style:none}
dl{display:grid;grid-template-columns:minmax(8rem,max-content) 1fr;gap:.2rem 1.25rem;margin:0}
dt{color:var(--soft)}dd{margin:0}
code,pre{font-family:ui-monospace,SFMono-Regular,Menlo,"DejaVu Sans Mono",monospace;font-size:.875rem}
pre{background:var(--code);border:1px solid var(--line);border-radius:.4rem;padding:.6rem .75rem;margin:.25rem 0;
white-space:pre-wrap;max-height:28rem;overflow:auto}
details{border-top:1px solid var(--line);padding:.4rem 0}
details:first-of-type{border-top:0}
summary{cursor:pointer;padding:.15rem 0}
summary .sev{display:inline-block;min-width:4.5rem}
.text{white-space:pre-wrap;margin:.15rem 0 .5rem;max-width:75ch}
.reasons{margin:0;padding-left:1.2rem}
.passed{color:var(--ok);font-weight:600;white-space:nowrap}.failed{color:var(--bad);font-weight:600;white-space:nowrap}
.filters{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));gap:.6rem;margin:.25rem 0 .75rem}
.filters>div{min-width:0}.filters>div:last-child{grid-column:1/-1}
.filters[hidden],[hidden]{display:none!important}
label{display:block;font-size:.875rem;color:var(--soft)}
input,select,button{font:inherit;color:inherit;background:var(--card);border:1px solid var(--soft);border-radius:.4rem;
padding:.35rem .6rem;width:100%}
button{cursor:pointer;width:auto}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(22rem,1fr));gap:1rem}
.pair>section{margin:0;min-width:0}
footer{color:var(--soft);font-size:.875rem}
@media (max-width:46rem){body{font-size:15px}.wide{display:none}header h1{font-size:1.3rem}
.pair{grid-template-columns:1fr}
section{padding:.75rem .9rem}tbody th{min-width:14rem}dl{grid-template-columns:1fr}dd{margin-bottom:.3rem}}
@media print{:root{--bg:#fff;--card:#fff;--ink:#000;--soft:#333;--line:#999;--link:#000;--code:#fff}
.filters,nav,.skip,button{display:none!important}section{border:0;padding:0;break-inside:auto}details,tr{break-inside:avoid}
header,main,footer{max-width:none;padding:0}body{font-size:10pt}pre{max-height:none}
details::details-content{content-visibility:visible;block-size:auto;opacity:1}}
"""
