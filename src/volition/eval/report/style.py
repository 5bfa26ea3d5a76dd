"""How the page looks: one style sheet, for light and dark, for a wide screen and a narrow one, and for paper."""

STYLE = """
:root{color-scheme:light dark;--paper:#fbfaf7;--card:#fff;--ink:#1d232b;--quiet:#6a727d;--rule:#e2e0da;--accent:#2f6a9f;
--bar:#7ea6cb;--good:#3f9166;--bad:#b8433b;--warm:#f07a1e;
--k0:#4f9d73;--k1:#8d99a8;--k2:#d07a3a;--k3:#e0aa4e;--k4:#a65aa0;--k5:#4a8fb5;--k6:#b59a5b;--k7:#c2453d;--k8:#6b3f9a;
--k9:#5f6b55;--k10:#b06a86}
@media(prefers-color-scheme:dark){:root{--paper:#14171b;--card:#1c2026;--ink:#e6e8eb;--quiet:#98a1ad;--rule:#30363e;
--accent:#7db4e6;--bar:#3f7099;--good:#62b98a;--bad:#e0736a;--k0:#3f8a62;--k1:#5f6b79;--k9:#7d8a72}}
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;margin:0 auto;padding:2.2em 1.4em 5em;max-width:1120px;
color:var(--ink);background:var(--paper)}
h1{font-size:1.75em;line-height:1.2;margin:0 0 .2em}h2{font-size:1.25em;margin:2.6em 0 .5em;padding-top:.7em;
border-top:1px solid var(--rule)}h3{font-size:1em;margin:1.5em 0 .4em}
p{max-width:75ch;margin:.4em 0 .9em}.q,figcaption,caption{color:var(--quiet);font-size:.9em}
code,pre{font:.88em ui-monospace,"Cascadia Mono",Menlo,Consolas,monospace}pre{background:var(--card);border:1px solid var(--rule);
border-radius:6px;padding:.7em 1em;white-space:pre-wrap;overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15em 1.2em;margin:.6em 0}dt{color:var(--quiet)}dd{margin:0;
overflow-wrap:anywhere}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(158px,1fr));gap:12px;margin:1.2em 0}
.card{background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:.7em .9em}
.card b{display:block;font-size:1.65em;line-height:1.25;font-weight:650}.card span{color:var(--quiet);font-size:.86em;display:block}
.good b{color:var(--good)}.bad b{color:var(--bad)}
.scroll{overflow-x:auto;margin:.5em 0 1em}table{border-collapse:collapse;font-size:.9em;font-variant-numeric:tabular-nums;
width:100%}caption{text-align:left;padding-bottom:.3em}th,td{padding:.32em .7em;text-align:right;border-bottom:1px solid var(--rule);
white-space:nowrap}th{font-weight:600;color:var(--quiet);vertical-align:bottom}th.l,td.l{text-align:left}
td.wrap{white-space:normal;min-width:11em}
tr.all td{font-weight:650}summary{cursor:pointer;color:var(--accent);margin:.4em 0}
figure{margin:0}figure.plot{background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:1em 1em .6em;margin:.8em 0;
overflow-x:auto}svg{display:block;width:100%;min-width:640px;height:auto;font-size:12px}
svg text{fill:var(--ink)}svg .name{text-anchor:end}svg .tick{text-anchor:middle;fill:var(--quiet);font-size:11px}
svg .in{text-anchor:middle;fill:#fff;font-size:11px}svg .grid{stroke:var(--rule)}svg .bar{fill:var(--bar)}
svg .whisker{stroke:var(--ink);stroke-width:1.3;fill:none}svg .than{stroke:var(--bad);stroke-width:1.5;stroke-dasharray:5 4}
.k0{fill:var(--k0);background:var(--k0)}.k1{fill:var(--k1);background:var(--k1)}.k2{fill:var(--k2);background:var(--k2)}
.k3{fill:var(--k3);background:var(--k3)}.k4{fill:var(--k4);background:var(--k4)}.k5{fill:var(--k5);background:var(--k5)}
.k6{fill:var(--k6);background:var(--k6)}.k7{fill:var(--k7);background:var(--k7)}.k8{fill:var(--k8);background:var(--k8)}
.k9{fill:var(--k9);background:var(--k9)}.k10{fill:var(--k10);background:var(--k10)}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:.3em 1.1em;padding:0;margin:0 0 .7em;font-size:.88em}
.legend i{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin-right:.4em}
.films{display:grid;grid-template-columns:repeat(auto-fill,minmax(300px,1fr));gap:18px;margin:.8em 0}
.films figure,.looks figure{background:var(--card);border:1px solid var(--rule);border-radius:8px;overflow:hidden}
video{display:block;width:100%;aspect-ratio:4/3;background:#000}figcaption{padding:.55em .8em .7em}
figcaption b{color:var(--ink)}.tag{display:inline-block;border-radius:4px;padding:0 .45em;color:#fff;background:var(--bad);
font-size:.92em}.tag.yes{background:var(--good)}
.looks{display:grid;grid-template-columns:repeat(auto-fill,minmax(330px,1fr));gap:16px}.looks img{display:block;width:100%}
.words{line-height:2.1}.words span{border-radius:4px;padding:.12em .3em;margin:0 .05em;color:var(--ink);
background:color-mix(in srgb,var(--warm) calc(var(--w)*60%),transparent)}
@media(max-width:560px){body{padding:1.2em .8em}dl{grid-template-columns:1fr}dd{margin-bottom:.4em}}
@media print{body{max-width:none;padding:0}.films{display:none}h2{break-after:avoid}figure{break-inside:avoid}}
"""
