/** What tells version managers where they live: whoever asks them, and whoever starts one that does, hands it on. */
export const managerVariables: readonly string[] = [
  'PYENV_ROOT',
  'ASDF_DIR',
  'ASDF_DATA_DIR',
  'ASDF_CONFIG_FILE',
  'MISE_DATA_DIR',
  'MISE_CONFIG_DIR',
];
