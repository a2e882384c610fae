/** The entry of the process in which `store.ts` measures: opens the store, lists, and prints its figures as JSON. */
import { openStore } from '../src/store/store.ts';
import { timeLists } from './store.ts';

const [directory = '', deploymentId = ''] = process.argv.slice(2);
const startedAt = performance.now();
const opened = await openStore({ directory });
const openMs = performance.now() - startedAt;
const lists = await timeLists(opened, deploymentId);
console.log(JSON.stringify({ openMs, rssMb: process.memoryUsage.rss() / 2 ** 20, ...lists }));
await opened.close();
