// Counts words: echo '{"text":"to be or not to be"}' | prisn run examples/words.js
export default function ({ text = '' } = {}) {
  const counts = {};
  for (const word of text.split(/\s+/).filter(Boolean)) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}
