// Builds the chat client as a package into client-package/dist: ES modules and their types, by tsc
// alone, and the licence beside them. The page imports the same source.
import { execFileSync } from 'node:child_process';
import { copyFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const web = dirname(dirname(fileURLToPath(import.meta.url)));
const target = join(web, 'client-package');
const tsc = createRequire(join(web, 'package.json')).resolve('typescript/bin/tsc');

rmSync(join(target, 'dist'), { recursive: true, force: true });
execFileSync(process.execPath, [tsc, '-p', target], { stdio: 'inherit' });
copyFileSync(join(web, '../LICENSE'), join(target, 'LICENSE'));
