// Takes out of src/portal.css what no screen uses: rules of govuk-* classes that stand in no
// component and no script. Our own classes (tk-*) stay, because some are put together.
// A test says when a screen uses a class that was taken out: then build.sh has to run again.
import fs from 'node:fs';
import path from 'node:path';
import postcss from 'postcss';

const used = new Set();
const read = (dir, ending) => {
  for (const name of fs.readdirSync(dir)) {
    if (!name.endsWith(ending) || name === 'zxing.js') continue;
    for (const m of fs.readFileSync(path.join(dir, name), 'utf8').matchAll(/govuk-[\w-]+/g)) used.add(m[0]);
  }
};
read('../view', '.templ');
read('../storybook', '.templ');
read('src', '.js');

const file = 'src/portal.css';
const root = postcss.parse(fs.readFileSync(file, 'utf8'));
root.walkRules((rule) => {
  if (rule.parent.type === 'atrule' && /keyframes/.test(rule.parent.name)) return;
  const keep = rule.selectors.filter((s) => {
    // What stands in :is() is one of several: the rule stays for the others.
    const all = s.replace(/:(not|is|where)\((?:[^()]|\([^()]*\))*\)/g, '').match(/\.govuk-[\w-]+/g) ?? [];
    return all.every((c) => used.has(c.slice(1)));
  });
  if (keep.length === 0) rule.remove();
  else if (keep.length < rule.selectors.length) rule.selectors = keep;
});
for (let again = true; again;) {
  again = false;
  root.walkAtRules((r) => { if (r.nodes && r.nodes.length === 0) { r.remove(); again = true; } });
}
fs.writeFileSync(file, root.toString());
