// Writes sample-chat.csv again: node --import ./scripts/typescript.mjs examples/traces/cli.ts
import { writeFile } from 'node:fs/promises';
import { sampleChatCsv } from './sample-chat.ts';

await writeFile(new URL('sample-chat.csv', import.meta.url), sampleChatCsv());
