import { LevelStore } from '../../src/store/level.ts';
import { keyValueContract } from './contract.ts';
import { MemoryStore } from './memory.ts';
import { inScratch } from './scratch.ts';

keyValueContract('in memory', async (body) => {
  const store = new MemoryStore();
  await body(store);
  await store.close();
});

keyValueContract('on LevelDB', (body) =>
  inScratch(async (directory) => {
    const store = await LevelStore.open({ directory });
    try {
      await body(store);
    } finally {
      await store.close();
    }
  }),
);
