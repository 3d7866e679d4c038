import { register } from 'node:module';

// Jest compiles for itself. A process that the sources start is plain Node, which here knows no TypeScript.
if (process.argv[1]?.endsWith('.ts')) register('./compile.js', import.meta.url);
