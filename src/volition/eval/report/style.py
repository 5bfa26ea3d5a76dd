"""How the page looks: one style sheet, for light and dark, for a wide screen and a narrow one, and for paper."""

STYLE = """
:root{color-scheme:light dark;--paper:#fbfaf7;--card:#fff;--ink:#1d232b;--quiet:#6a727d;--rule:#e2e0da;--accent:#2f6a9f;
--bar:#7ea6cb;--good:#2f7d55;--bad:#b8433b;--warm:#f07a1e;
--k0:#5aa97e;--k1:#9aa5b3;--k2:#d9853f;--k3:#e5b45c;--k4:#bd7ab6;--k5:#5b9cc0;--k6:#b9a06a;--k7:#d96a61;--k8:#a184cf;
--k9:#93a085;--k10:#c9869f}
@media(prefers-color-scheme:dark){:root{--paper:#14171b;--card:#1c2026;--ink:#e6e8eb;--quiet:#98a1ad;--rule:#30363e;
--accent:#7db4e6;--bar:#3f7099;--good:#62b98a;--bad:#e0736a}}
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
.contents{display:flex;flex-wrap:wrap;gap:.3em 1.2em;margin:1.2em 0 0}a{color:var(--accent)}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(158px,1fr));gap:12px;margin:1.2em 0}
.card{background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:.7em .9em}
.card b{display:block;font-size:1.65em;line-height:1.25;font-weight:650}.card span{color:var(--quiet);font-size:.86em;display:block;white-space:pre-line}
.good b{color:var(--good)}.bad b{color:var(--bad)}
.scroll{overflow-x:auto;margin:.5em 0 1em}table{border-collapse:collapse;font-size:.9em;font-variant-numeric:tabular-nums;
min-width:55%}caption{text-align:left;padding-bottom:.3em}th,td{padding:.32em .7em;text-align:right;border-bottom:1px solid var(--rule);
white-space:nowrap}th{font-weight:600;color:var(--quiet);vertical-align:bottom}th.l,td.l{text-align:left}
td.wrap{white-space:normal;min-width:11em}
tr.all td{font-weight:650}summary{cursor:pointer;color:var(--accent);margin:.4em 0}
figure{margin:0}figure.plot{background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:1em 1em .6em;margin:.8em 0;
overflow-x:auto}svg{display:block;width:100%;min-width:860px;height:auto;font-size:12px}
svg text{fill:var(--ink)}svg .name{text-anchor:end}svg .tick{text-anchor:middle;fill:var(--quiet)}
svg .in{text-anchor:middle;fill:#15191e}svg .grid{stroke:var(--rule)}svg .bar{fill:var(--bar)}
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
figcaption b{color:var(--ink)}.tag{display:inline-block;border-radius:4px;padding:0 .45em;color:var(--card);background:var(--bad);
font-size:.92em}.tag.yes{background:var(--good)}
.looks{display:grid;grid-template-columns:repeat(auto-fill,minmax(330px,1fr));gap:16px}.looks img{display:block;width:100%}
.words{line-height:2.1}.words span{border-radius:4px;padding:.12em .3em;margin:0 .05em;color:var(--ink);
background:color-mix(in srgb,var(--warm) calc(var(--w)*60%),transparent)}
@media(max-width:560px){body{padding:1.2em .8em}dl{grid-template-columns:1fr}dd{margin-bottom:.4em}}
@media print{body{max-width:none;padding:0}.films{display:none}h2{break-after:avoid}figure{break-inside:avoid}}
"""
