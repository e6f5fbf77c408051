// `npm run dashboard` writes the page anew after a change of its sources; a test says when it was forgotten.
import { writeFile } from 'node:fs/promises';
import { generatedFile, generatedPage } from './build-page.ts';

await writeFile(generatedFile, await generatedPage());
