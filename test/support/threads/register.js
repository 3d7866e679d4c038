import { register } from 'node:module';
import { isMainThread } from 'node:worker_threads';

// Jest compiles for itself. A thread that the sources start is plain Node, which here knows no TypeScript.
if (!isMainThread) register('./typescript.js', import.meta.url);
