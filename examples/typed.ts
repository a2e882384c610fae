enum Level {
  Info = 'info',
  Error = 'error',
}

interface Entry {
  level: Level;
  text: string;
}

const entries: Entry[] = [
  { level: Level.Info, text: 'started' },
  { level: Level.Error, text: 'no such file' },
];
console.table(entries);
