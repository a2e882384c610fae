import assert from 'node:assert/strict';
import { symlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { node24 } from '../../machine.ts';
