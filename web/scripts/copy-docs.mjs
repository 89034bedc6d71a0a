// Puts the programs of the documentation pages into dist-docs/, from where the gateway embeds them:
// Swagger UI for /docs and ReDoc for /redoc. Their licences go along. The pages themselves, and
// their policies, are the gateway's own.
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const web = dirname(dirname(fileURLToPath(import.meta.url)));
const target = join(web, 'dist-docs');
const find = createRequire(join(web, 'package.json'));

// What the gateway serves, and the licence that goes with it.
const files = [
  ['swagger-ui-dist', 'swagger-ui-bundle.js', 'swagger-ui-bundle.js'],
  ['swagger-ui-dist', 'swagger-ui.css', 'swagger-ui.css'],
  ['swagger-ui-dist', 'LICENSE', 'LICENSE.swagger-ui'],
  ['redoc', 'bundles/redoc.standalone.js', 'redoc.standalone.js'],
  ['redoc', 'bundles/redoc.standalone.js.LICENSE.txt', 'redoc.standalone.js.LICENSE.txt'],
  ['redoc', 'LICENSE', 'LICENSE.redoc'],
];

rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
for (const [pkg, from, to] of files) {
  const folder = dirname(find.resolve(`${pkg}/package.json`));
  copyFileSync(join(folder, from), join(target, to));
}

// ReDoc shows a picture from its maker's network beside its name. The page's policy refuses it;
// without the address nothing is asked for in the first place.
const redoc = join(target, 'redoc.standalone.js');
const text = readFileSync(redoc, 'utf8');
writeFileSync(redoc, text.replaceAll('https://cdn.redoc.ly/redoc/logo-mini.svg', 'data:,'));
console.log(`${files.length} files in ${target}`);
